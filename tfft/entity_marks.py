"""Entities in a TensorFlow graph: the rule of `entities.spans`, on whole batches of tag ids.

Training counts entities with it after every batch, and the export finds them with it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from tfft import entities

_OUTSIDE = -1


class Marks(NamedTuple):
    """Where the entities of sentences are.

    Attributes:
        begins: Whether an entity begins at each word, bool `[N, words]`.
        kinds: Number of the kind of the entity at each word, int32 `[N, words]`, -1 outside.
        numbers: Number of the entity at or before each word, counted through the batch, int32 `[N, words]`.
        lengths: Words of the entity that each word belongs to, int32 `[N, words]`, 0 outside.
    """

    begins: tf.Tensor
    kinds: tf.Tensor
    numbers: tf.Tensor
    lengths: tf.Tensor


def kinds(tags: Sequence[str], scheme: str) -> list[str]:
    """Return the kinds of entities that tags know, in the order of their numbers."""
    parts = [entities.split(tag, scheme) for tag in tags]
    return sorted({kind for place, kind in parts if place != "O"})


def find(ids: tf.Tensor, tags: Sequence[str], scheme: str) -> Marks:
    """Return the entities of tag ids, int32 `[N, words]`; below 0 fills a row up.

    Args:
        ids: Places in `tags`.
        tags: Names in the order of their ids.
        scheme: What `entities.scheme` returned, but `plain`.
    """
    parts = [entities.split(tag, scheme) for tag in tags]
    names = kinds(tags, scheme)
    numbers = [_OUTSIDE if place == "O" else names.index(kind) for place, kind in parts]

    def of(values: Sequence[object], outside: object) -> tf.Tensor:
        return tf.gather(tf.constant([outside, *values]), tf.maximum(ids + 1, 0))

    def before(values: tf.Tensor) -> tf.Tensor:
        return tf.pad(values, [[0, 0], [1, 0]])[:, : tf.shape(values)[1]]

    kind = of(numbers, _OUTSIDE)
    leads, follows = of([p in "BI" for p, _ in parts], False), of([p in "IE" for p, _ in parts], False)
    goes_on = before(leads) & follows & (before(kind + 1) == kind + 1)
    is_inside = kind != _OUTSIDE
    begins = is_inside & ~goes_on
    # Entities of all rows are numbered through; none goes on from one row to the next.
    flat = tf.cumsum(tf.reshape(tf.cast(begins, tf.int32), [-1]))
    inside = tf.reshape(tf.cast(is_inside, tf.int32), [-1])
    lengths = tf.gather(tf.math.unsorted_segment_sum(inside, flat, tf.size(flat) + 1), flat)
    shape = tf.shape(kind)
    return Marks(begins, kind, tf.reshape(flat, shape), tf.reshape(lengths * inside, shape))
