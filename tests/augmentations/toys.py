"""What the tests of the augmentations share."""

import math

import tensorflow as tf


def augmented(augment, texts, seed=(3, 5)):
    """Return the texts that an augmentation makes of texts."""
    found = augment(tf.constant(texts, tf.string, [len(texts)]), tf.constant(seed, tf.int64))
    return [text.decode() for text in found.numpy()]


def is_likely(count, trials, share):
    """Return whether a count is within four standard deviations of what trials give on average."""
    return abs(count - trials * share) <= 4 * math.sqrt(trials * share * (1 - share))
