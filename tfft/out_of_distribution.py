"""How unlike the training rows a text is.

A classifier answers any text with one of its labels, and is often sure of it. What it does not
know is seen before the head: the vector of such a text is far from those of the training rows. The score is
the mean cosine distance to the nearest of them (Sun et al. 2022, "Out-of-Distribution Detection with Deep
Nearest Neighbors", section 3), in standard deviations from the mean of the validation rows.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from safetensors import SafetensorError
from safetensors.numpy import load, save

from tfft.errors import RunError


@dataclass(frozen=True)
class Known:
    """What a text is compared with.

    Attributes:
        vectors: Of training rows, of length 1, float32 `[rows, width]`.
        neighbors: How many of the nearest count.
        mean: Of the distances of the validation rows.
        deviation: Standard deviation of these.
    """

    vectors: np.ndarray
    neighbors: int
    mean: float
    deviation: float


def fit(training: np.ndarray, validation: np.ndarray, *, neighbors: int) -> Known:
    """Return what validation rows tell of their distances to training rows, both float32 `[rows, width]`."""
    vectors = training / np.maximum(np.linalg.norm(training, axis=1, keepdims=True), 1e-12)
    known = Known(vectors.astype(np.float32), min(neighbors, len(vectors)), 0.0, 1.0)
    found = scoring(known)(tf.constant(validation)).numpy().astype(np.float64)
    # Where all rows are alike, what is left of their differences is rounding.
    return Known(known.vectors, known.neighbors, float(found.mean()), max(float(found.std()), 5e-3))


def scoring(known: Known) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return the function from vectors, float32 `[N, width]`, to their scores, float32 `[N]`."""

    @tf.function(input_signature=[tf.TensorSpec([None, known.vectors.shape[1]])], autograph=False)
    def score(vectors):
        nearness = tf.matmul(tf.math.l2_normalize(vectors, axis=1), known.vectors, transpose_b=True)
        nearest = tf.math.top_k(nearness, known.neighbors, sorted=False).values
        return (1 - tf.reduce_mean(nearest, axis=1) - known.mean) / known.deviation

    return score


def to_bytes(known: Known) -> bytes:
    """Return the content of a file of safetensors."""
    numbers = np.array([known.neighbors, known.mean, known.deviation], np.float64)
    return save({"vectors": known.vectors, "neighbors_mean_deviation": numbers})


def from_bytes(content: bytes) -> Known:
    """Return what `to_bytes` wrote.

    Raises:
        RunError: It is damaged.
    """
    try:
        kept = load(content)
        neighbors, mean, deviation = kept["neighbors_mean_deviation"].tolist()
        return Known(kept["vectors"], int(neighbors), mean, deviation)
    except (SafetensorError, KeyError, ValueError) as error:
        raise RunError(f"The vectors of the training rows cannot be read: {error}. Train again.") from error
