"""Word swap: let two words at random change places, several times.

Source: Wei & Zou 2019, "EDA: Easy Data Augmentation Techniques for Boosting Performance on Text
Classification Tasks", random swap. https://arxiv.org/abs/1901.11196
"""

from tfft.augmentations import Augmentation, Share, drawn, split_seed


def build(*, probability: Share = 0.2, share: Share = 0.1) -> Augmentation:
    """Swap two words of some texts, again and again.

    Args:
        probability: That a text is changed at all. The paper trains on each text once as it
            is and once for each of its four operations, a fifth each.
        share: Swaps over words: 0.1 swaps twice in a text of 20 words, and as in the paper's
            code at least once in any of two or more. The paper has 0.1, and 0.05 for less
            than 5000 rows.
    """
    import tensorflow as tf

    def augment(texts: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        seeds = split_seed(seed, 2)
        words = tf.strings.split(texts)  # [N, (words)]
        lengths, starts = words.row_lengths(), words.row_starts()
        swaps = tf.maximum(tf.cast(tf.cast(lengths, tf.float64) * share, tf.int64), 1)
        is_changed = drawn(tf.shape(texts), probability, seeds[0]) & (lengths > 1) & (share > 0)
        swaps = tf.where(is_changed, swaps, 0)  # [N]
        rounds = tf.maximum(tf.reduce_max(swaps), 0)  # of no rows at all, the maximum is below 0
        numbers = tf.random.stateless_uniform(tf.stack([rounds, 2, words.nrows()]), seeds[1])

        def swap(number: tf.Tensor, flat: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            rows = tf.where(swaps > number)[:, 0]
            length = tf.gather(lengths, rows)
            one, step = tf.unstack(tf.gather(numbers[number], rows, axis=1))
            one = tf.cast(one * tf.cast(length, tf.float32), tf.int64)
            # Another word: at least one, at most all but one further on, around the end.
            step = 1 + tf.cast(step * tf.cast(length - 1, tf.float32), tf.int64)
            other = (one + step) % length
            one, other = (tf.gather(starts, rows) + place for place in (one, other))
            here, there = tf.concat([one, other], 0), tf.concat([other, one], 0)
            return number + 1, tf.tensor_scatter_nd_update(flat, here[:, tf.newaxis], tf.gather(flat, there))

        _, flat = tf.while_loop(
            lambda number, _: number < rounds, swap, (tf.constant(0, tf.int64), words.flat_values)
        )
        swapped = tf.strings.reduce_join(words.with_flat_values(flat), axis=-1, separator=" ")
        return tf.where(is_changed, swapped, texts)

    return augment
