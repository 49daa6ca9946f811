"""White space: one space wherever there is any amount of white space or control characters."""

from tfft.preparation import Step

_BLANK = r"[\p{Z}\p{Cc}]+"


def build() -> Step:
    """Replace runs of white space and control characters by one space, and trim the ends.

    Characters of no width (U+200B, U+200D, U+FEFF) stay: emoji, Persian and the scripts of
    India need them.
    """
    import tensorflow as tf

    return lambda texts: tf.strings.strip(tf.strings.regex_replace(texts, _BLANK, " "))
