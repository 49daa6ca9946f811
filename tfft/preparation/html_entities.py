"""HTML entities: `&amp;`, `&#39;`, `&#x1F600;` and the like become the characters that they stand for.

Source: HTML Standard, sections 13.5 (names) and 13.2.5.80 (numbers). https://html.spec.whatwg.org/
"""

from html.entities import html5

from tfft.preparation import WINDOWS_1252, Step, keeping, replace

_REFERENCE = r"&(?:#[0-9]+|#[xX][0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9]*);"
_REPLACEMENT = 0xFFFD


def build() -> Step:
    """Decode character references once: `&amp;lt;` becomes `&lt;`.

    The result is that of Python's `html.unescape` for references that end in a semicolon,
    as all that are written today do. Those without one, which `html.unescape` guesses at
    (`&notit` as ¬it), and names that are none stay as they are, so that `AT&T` and the
    query of a URL are not touched.
    """
    import tensorflow as tf

    named = {f"&{name}": characters for name, characters in html5.items() if name.endswith(";")}
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(list(named), list(named.values()), tf.string, tf.string), ""
    )

    def decode(references: tf.Tensor) -> tf.Tensor:
        by_name = table.lookup(references)
        by_name = tf.where(by_name == "", references, by_name)
        is_number = tf.strings.substr(references, 1, 1) == "#"
        return tf.where(is_number, _numbered(references), by_name)

    return keeping(lambda texts: replace(texts, _REFERENCE, decode), [table])


def _numbered(references):
    """Return what numeric references stand for; of others, anything."""
    import tensorflow as tf

    digits = tf.strings.regex_replace(references, "^&#[xX]?0*|;$", "")
    # Eight digits are more than any character's number has, and the most that int32 surely holds
    # with a base of 16 is seven: the eighth only tells that the number is too large.
    is_large = tf.strings.length(digits) > 7
    digits = tf.strings.substr(tf.strings.join(["0000000", digits]), -7, 7)
    codes = tf.cast(tf.io.decode_raw(digits, tf.uint8, fixed_length=7), tf.int32)  # [M, 7]
    values = tf.where(codes > ord("9"), (codes | 0x20) - ord("a") + 10, codes - ord("0"))
    is_hex = tf.strings.regex_full_match(references, "&#[xX].*")
    base = tf.where(is_hex, 16, 10)[:, tf.newaxis] ** tf.range(6, -1, -1)  # [M, 7]
    number = tf.reduce_sum(values * base, axis=1)

    # What browsers put in the place of numbers that are no characters: section 13.2.5.80.
    windows = [ord(character) for character in WINDOWS_1252]
    is_windows = (number >= 0x80) & (number < 0xA0)
    point = tf.where(is_windows, tf.gather(windows, tf.clip_by_value(number - 0x80, 0, 31)), number)
    is_none = is_large | (number == 0) | (number > 0x10FFFF) | ((number >= 0xD800) & (number <= 0xDFFF))
    point = tf.where(is_none, _REPLACEMENT, point)
    is_dropped = (
        ((number >= 0x01) & (number <= 0x08))
        | (number == 0x0B)
        | ((number >= 0x0E) & (number <= 0x1F))
        | (number == 0x7F)
        | ((number >= 0xFDD0) & (number <= 0xFDEF))
        | (number & 0xFFFE == 0xFFFE)
    )
    is_dropped &= ~is_none
    return tf.where(is_dropped, "", tf.strings.unicode_encode(point[:, tf.newaxis], "UTF-8"))
