"""Windows-1252: control characters that were quotes, dashes and the like before they were misread.

Text in Windows-1252 that is read as Latin-1 has U+0080 to U+009F where it had other characters:
"don\\x92t" for "don’t". These control characters have no use in text, so they tell what happened.

Source: the index of windows-1252 in the Encoding Standard. https://encoding.spec.whatwg.org/index-windows-1252.txt
"""

from tfft.preparation import WINDOWS_1252, Step, replace


def build() -> Step:
    """Put the characters meant in the place of U+0080 to U+009F.

    The five that Windows-1252 leaves open (U+0081, U+008D, U+008F, U+0090 and U+009D) stay.
    U+0085 is taken for an ellipsis, not for the line break that it is in texts from mainframes.
    """
    import tensorflow as tf

    def repair(controls: tf.Tensor) -> tf.Tensor:
        points = tf.strings.unicode_decode(controls, "UTF-8").flat_values  # one each
        return tf.gather(WINDOWS_1252, points - 0x80)

    return lambda texts: replace(texts, r"[\x{80}-\x{9F}]", repair)
