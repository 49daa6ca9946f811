"""Typos: leave out, double, swap and mistype letters at random.

Source: Karpukhin et al. 2019, "Training on Synthetic Noise Improves Robustness to Natural Noise in
Machine Translation": a balanced mild amount of such noise helps with natural typos and does no
harm to clean text. https://arxiv.org/abs/1902.01509. Neighbours on the keyboard: Belinkov & Bisk
2018, "Synthetic and Natural Noise Both Break Neural Machine Translation".
https://arxiv.org/abs/1711.02173
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from tfft.augmentations import Augmentation, Share, drawn, split_seed

Kind = Literal["delete", "double", "swap", "neighbour"]

_KEYS = {  # letter -> place on a keyboard, in widths of a key
    letter: (column + shift, row)
    for row, (shift, letters) in enumerate([(0, "qwertyuiop"), (0.25, "asdfghjkl"), (0.75, "zxcvbnm")])
    for column, letter in enumerate(letters)
}


def neighbours(letter: str) -> str:
    """Return the letters whose keys touch that of a letter."""
    x, y = _KEYS[letter]
    return "".join(
        other for other, (a, b) in _KEYS.items() if other != letter and (x - a) ** 2 + (y - b) ** 2 < 1.6
    )


def build(
    *,
    probability: Share = 0.5,
    rate: Share = 0.02,
    kinds: Annotated[list[Kind], Field(min_length=1)] = ["delete", "double", "swap", "neighbour"],  # noqa: B006
) -> Augmentation:
    """Mistype some letters of some texts.

    Letters of all scripts are mistyped, but for those that carry a mark. A text never becomes
    empty.

    Args:
        probability: That a text is changed at all.
        rate: Probability of each letter of such a text to be mistyped; one right after a
            mistyped letter is left alone. 0.02 is one word of five letters in ten.
        kinds: What may happen to a letter, each as likely where it is possible: `delete`,
            `double`, `swap` with the letter after it, or `neighbour`, a letter from A to Z
            becomes one whose key touches its own on a QWERTY keyboard.
    """
    import tensorflow as tf

    near = {letter: neighbours(letter) for letter in _KEYS}
    near |= {letter.upper(): letters.upper() for letter, letters in near.items()}
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(list(near), list(near.values()), tf.string, tf.string), ""
    )

    def augment(texts: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        seeds = split_seed(seed, 4)
        characters = tf.strings.unicode_split(texts, "UTF-8", errors="replace")  # [N, (characters)]
        flat, rows = characters.flat_values, characters.value_rowids()  # [T]
        is_inside = _after(rows, -1) == rows  # the next character is of the same text
        has_mark = is_inside & _after(tf.strings.regex_full_match(flat, r"\p{M}"), False)
        is_letter = tf.strings.regex_full_match(flat, r"\p{L}") & ~has_mark

        is_noisy = tf.gather(drawn(tf.shape(texts), probability, seeds[0]), rows)
        is_hit = is_letter & is_noisy & drawn(tf.shape(flat), rate, seeds[1])
        is_hit &= ~(_before(is_hit, False) & _before(is_inside, False))
        places = tf.where(is_hit)[:, 0]  # [H]
        letter, following = tf.gather(flat, places), tf.gather(_after(flat, ""), places)
        keys = table.lookup(letter)

        number = tf.random.stateless_uniform(tf.shape(places), seeds[2])
        key = tf.cast(number * tf.cast(tf.strings.length(keys), tf.float32), tf.int32)
        always = tf.ones_like(letter, tf.bool)
        choices = {  # what becomes of the letter, and where it can
            "delete": ("", always),
            "double": (letter + letter, always),
            "swap": (following + letter, tf.gather(is_inside & _after(is_letter, False), places)),
            "neighbour": (tf.strings.substr(keys, key, tf.ones_like(key)), keys != ""),
        }
        is_possible = tf.stack([choices[kind][1] for kind in kinds], axis=1)  # [H, kinds]
        count = tf.reduce_sum(tf.cast(is_possible, tf.int32), axis=1)
        number = tf.random.stateless_uniform(tf.shape(places), seeds[3])
        rank = 1 + tf.cast(number * tf.cast(count, tf.float32), tf.int32)
        ranks = tf.cumsum(tf.cast(is_possible, tf.int32), axis=1)
        is_chosen = is_possible & (ranks == rank[:, tf.newaxis])  # of each letter one, or none

        for index, kind in enumerate(kinds):
            these = tf.boolean_mask(places, is_chosen[:, index])[:, tf.newaxis]
            new = tf.boolean_mask(tf.broadcast_to(choices[kind][0], tf.shape(letter)), is_chosen[:, index])
            flat = tf.tensor_scatter_nd_update(flat, these, new)
            if kind == "swap":  # the letter after it has moved
                flat = tf.tensor_scatter_nd_update(flat, these + 1, tf.fill(tf.shape(new), ""))

        mistyped = tf.strings.reduce_join(characters.with_flat_values(flat), axis=-1)
        hits = tf.boolean_mask(tf.gather(rows, places), count > 0)
        is_changed = tf.math.bincount(tf.cast(hits, tf.int32), minlength=tf.size(texts)) > 0
        return tf.where(is_changed & (mistyped != ""), mistyped, texts)

    return augment


def _after(values: Any, last: Any) -> Any:
    """Return for each place of `[T]` what the next one has."""
    import tensorflow as tf

    return tf.concat([values[1:], tf.fill([1], tf.cast(last, values.dtype))], 0)[: tf.size(values)]


def _before(values: Any, first: Any) -> Any:
    """Return for each place of `[T]` what the one before it has."""
    import tensorflow as tf

    return tf.concat([tf.fill([1], tf.cast(first, values.dtype)), values[:-1]], 0)[: tf.size(values)]
