"""What the tests of the steps share."""

import unicodedata

import tensorflow as tf


def applied(step, *texts):
    """Return the texts that a step makes of texts."""
    return [text.decode() for text in applied_to_bytes(step, [text.encode() for text in texts])]


def applied_to_bytes(step, texts):
    """Return what a step makes of bytes."""
    return step(tf.constant(texts, tf.string, [len(texts)])).numpy().tolist()


def is_old(character):
    """Return whether Python, TensorFlow and RE2 surely agree on a character: it is old in Unicode."""
    old = unicodedata.ucd_3_2_0
    return old.category(character) == unicodedata.category(character) != "Cs"
