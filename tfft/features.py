"""Batches of the frozen part's outputs, which are computed once and kept for all epochs.

A frozen backbone gives the same vectors in every epoch, so the head can train on
them: one forward pass in the whole run instead of one forward pass an epoch.
"""

import numpy as np
import tensorflow as tf


def shuffled(features: np.ndarray, labels: np.ndarray, *, batch_size: int, seed: int) -> tf.data.Dataset:
    """Return batches (features, labels) of epoch after epoch, without end, each freshly shuffled."""
    rows = tf.data.Dataset.from_tensor_slices((features, labels))
    # Batch before repeat keeps the epochs apart: each row once before any row twice.
    return rows.shuffle(len(labels), seed=seed).batch(batch_size).repeat().prefetch(2)


def in_order(features: np.ndarray, labels: np.ndarray, *, batch_size: int) -> tf.data.Dataset:
    """Return batches (features, labels) of all rows, each once."""
    return tf.data.Dataset.from_tensor_slices((features, labels)).batch(batch_size).prefetch(2)
