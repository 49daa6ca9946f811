"""Word deletion: leave out words at random.

Source: Wei & Zou 2019, "EDA: Easy Data Augmentation Techniques for Boosting Performance on Text
Classification Tasks", random deletion. https://arxiv.org/abs/1901.11196
"""

from tfft.augmentations import Augmentation, Share, drawn, drawn_words, split_seed


def build(*, probability: Share = 0.2, share: Share = 0.1) -> Augmentation:
    """Leave out each word of some texts with the same probability, but never all.

    Args:
        probability: That a text is changed at all. The paper trains on each text once as it
            is and once for each of its four operations, a fifth each.
        share: Probability of each word of such a text to go; the paper has 0.1, and 0.05 for
            less than 5000 rows.
    """
    import tensorflow as tf

    def augment(texts: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        seeds = split_seed(seed, 2)
        words = tf.strings.split(texts)  # [N, (words)]
        gone = drawn_words(words, share, seeds[0])
        shorter = tf.strings.reduce_join(
            tf.ragged.boolean_mask(words, tf.logical_not(gone)), axis=-1, separator=" "
        )
        is_changed = drawn(tf.shape(texts), probability, seeds[1]) & tf.reduce_any(gone, axis=1)
        return tf.where(is_changed, shorter, texts)

    return augment
