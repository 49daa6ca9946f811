"""Case noise: write whole texts in lower case, in capitals, or with capitals at the start of words.

It makes a cased model ready for text from phones, captions and headlines; an uncased one
does not see it.

Source: Mayhew et al. 2019, "ner and pos when nothing is capitalized": of training texts in their
own case, in lower case, and both, both did best. https://arxiv.org/abs/1903.11222
"""

from typing import Annotated, Literal

from pydantic import Field

from tfft.augmentations import Augmentation, Share, drawn, split_seed

Case = Literal["lower", "upper", "title"]


def build(
    *,
    probability: Share = 0.5,
    cases: Annotated[list[Case], Field(min_length=1)] = ["lower", "upper", "title"],  # noqa: B006
) -> Augmentation:
    """Change the case of whole texts.

    Args:
        probability: That a text is changed; half of them, as the paper mixes them.
        cases: What it may be changed to, each as likely: `lower`, `upper`, and `title`, which
            makes the first character of each word a capital and the rest small letters.
    """
    import tensorflow as tf

    def lower(texts: tf.Tensor) -> tf.Tensor:
        # ASCII first, so that no I is left for the locale of the machine, which may be Turkish.
        return tf.strings.lower(tf.strings.lower(texts), "utf-8")

    def upper(texts: tf.Tensor) -> tf.Tensor:
        return tf.strings.upper(tf.strings.upper(texts), "utf-8")

    def title(texts: tf.Tensor) -> tf.Tensor:
        words = tf.strings.split(texts)  # [N, (words)]
        flat = words.flat_values
        first = tf.strings.substr(flat, 0, 1, unit="UTF8_CHAR")
        start = tf.strings.length(first)  # bytes
        rest = tf.strings.substr(flat, start, tf.strings.length(flat) - start)
        flat = tf.strings.join([upper(first), lower(rest)])
        return tf.strings.reduce_join(words.with_flat_values(flat), axis=-1, separator=" ")

    functions = {"lower": lower, "upper": upper, "title": title}

    def augment(texts: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        seeds = split_seed(seed, 2)
        valid = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
        # These operations end a text at NUL.
        valid = tf.strings.regex_replace(valid, r"\x00", "\ufffd")
        choices = tf.stack([functions[case](valid) for case in cases], axis=1)  # [N, cases]
        which = tf.random.stateless_uniform(tf.shape(texts), seeds[0], maxval=len(cases), dtype=tf.int32)
        changed = tf.gather(choices, which, batch_dims=1)
        # `title` leaves nothing of a text without words.
        is_changed = drawn(tf.shape(texts), probability, seeds[1]) & (changed != "")
        return tf.where(is_changed, changed, texts)

    return augment
