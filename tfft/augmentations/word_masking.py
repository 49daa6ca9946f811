"""Word masking: put a blank in the place of words at random.

Source: Xie et al. 2017, "Data Noising as Smoothing in Neural Network Language Models", blank
noising, section 3.2. https://arxiv.org/abs/1703.02573
"""

from typing import Annotated

from pydantic import Field

from tfft.augmentations import Augmentation, Share, drawn, drawn_words, split_seed


def build(
    *,
    probability: Share = 0.2,
    share: Share = 0.1,
    token: Annotated[str, Field(pattern=r"^\S+$")] = "_",  # noqa: S107 - a word
) -> Augmentation:
    """Blank each word of some texts with the same probability, but never all.

    Unlike `word_deletion` it keeps the places of the other words.

    Args:
        probability: That a text is changed at all.
        share: Probability of each word of such a text to be blanked.
        token: What stands in its place: text, which the tokenizer cuts as any other. The mask
            token of a pretrained model is no text: `[MASK]` here would be read as the letters
            that it is written with.
    """
    import tensorflow as tf

    def augment(texts: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        seeds = split_seed(seed, 2)
        words = tf.strings.split(texts)  # [N, (words)]
        gone = drawn_words(words, share, seeds[0])
        blanked = tf.where(gone.flat_values, token, words.flat_values)
        masked = tf.strings.reduce_join(words.with_flat_values(blanked), axis=-1, separator=" ")
        is_changed = drawn(tf.shape(texts), probability, seeds[1]) & tf.reduce_any(gone, axis=1)
        return tf.where(is_changed, masked, texts)

    return augment
