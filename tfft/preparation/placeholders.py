"""Placeholders: one word for all URLs, one for all e-mail addresses, one for all user names.

Source: Barbieri et al. 2020, "TweetEval", whose models were trained on tweets with `@user` and
`http` in the place of names and links. https://arxiv.org/abs/2010.12421 and
https://huggingface.co/cardiffnlp/twitter-roberta-base
"""

from typing import Annotated

from pydantic import Field

from tfft.errors import SettingError
from tfft.preparation import Step

# Chinese and Japanese, which set no space, end a URL. Its last character is none that ends the
# sentence or the bracket around it.
_END = r"\s<>\"\p{Han}\p{Hiragana}\p{Katakana}\x{3000}-\x{303F}\x{FF00}-\x{FFEF}"
_URL = rf"(?i)\b(?:(?:https?|ftp)://|www\.)[^{_END}]*[^{_END}'.,;:!?()\[\]{{}}]"
_EMAIL = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"
# The character before, so that the @ in an address that _EMAIL does not know is left alone.
_USER = r"(^|[^\p{L}\p{M}\p{N}_@.+-])@[\p{L}\p{M}\p{N}_]+"

Placeholder = Annotated[str, Field(min_length=1)] | None


def build(*, url: Placeholder = "http", email: Placeholder = "email", user: Placeholder = "@user") -> Step:
    """Replace URLs, then e-mail addresses, then user names.

    A URL starts with `http://`, `https://`, `ftp://` or `www.`; a user name is an @ with
    letters, digits or underscores of any script, not preceded by one. `email` is no part of
    TweetEval.

    Args:
        url: What stands for a URL; null leaves URLs alone.
        email: What stands for an e-mail address; null leaves them alone, and `user` too does
            not touch them.
        user: What stands for a user name with its @; null leaves them alone.

    Raises:
        SettingError: A placeholder would be taken for something to replace.
    """
    import tensorflow as tf

    kinds = [(_URL, url, ""), (_EMAIL, email, ""), (_USER, user, r"\1")]
    rules = [
        (pattern, before + text.replace("\\", r"\\")) for pattern, text, before in kinds if text is not None
    ]

    def step(texts: tf.Tensor) -> tf.Tensor:
        for pattern, rewrite in rules:
            texts = tf.strings.regex_replace(texts, pattern, rewrite)
        return texts

    for key, text in (("url", url), ("email", email), ("user", user)):
        if text is not None and step(tf.constant([text])).numpy()[0] != text.encode():
            raise SettingError(
                f"preparation.placeholders.{key}",
                text,
                "must not hold what another placeholder replaces",
                fix="Take a word that is no URL, no address and no name, or @user for a name.",
            )
    return step
