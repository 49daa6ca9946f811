"""Augmentations: each file changes the texts of training rows at random, anew in every epoch.

An augmentation takes strings `[N]` and a seed, `[2]`, and gives strings `[N]`; the same seed
gives the same texts. It sees texts as they stand in the file, before any preparation.
Validation, test and the export never see it.

Words are what white space parts; in a text that is changed, one space stands between them.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from pydantic import Field

Augmentation = Callable[[Any, Any], Any]
"""Strings `[N]` and a seed, int32 or int64 `[2]`, to strings `[N]`."""

Share = Annotated[float, Field(ge=0, le=1)]


def change(texts: Sequence[Any], augmentations: Sequence[Augmentation], seed: Any) -> tuple[Any, ...]:
    """Return texts as all augmentations leave them, one after the other.

    Args:
        texts: One text of each row, or several, strings `[N]` each.
        augmentations: In their order.
        seed: Integers `[2]`; each augmentation of each text has a seed of its own, made from it.
    """
    seeds = split_seed(seed, len(augmentations) * len(texts))
    changed = []
    for number, text in enumerate(texts):
        for step, augment in enumerate(augmentations):
            text = augment(text, seeds[number * len(augmentations) + step])
        changed.append(text)
    return tuple(changed)


def split_seed(seed: Any, number: int) -> Any:
    """Return seeds, int64 `[number, 2]`, that are made from one."""
    import tensorflow as tf

    return tf.random.split(tf.cast(seed, tf.int64), number)  # of int32, it would split into others


def drawn(shape: Any, share: float, seed: Any) -> Any:
    """Return booleans of a shape, each of which is true with the probability `share`."""
    import tensorflow as tf

    return tf.random.stateless_uniform(shape, seed) < share


def drawn_words(words: Any, share: float, seed: Any) -> Any:
    """Draw words, but never all of a row.

    Args:
        words: Strings `[N, (words)]`.
        share: Probability of each word; should it befall all of a row, one at random is left.
        seed: Integers `[2]`.

    Returns:
        Booleans `[N, (words)]`.
    """
    import tensorflow as tf

    numbers = words.with_flat_values(tf.random.stateless_uniform(tf.shape(words.flat_values), seed))
    highest = tf.gather(tf.reduce_max(numbers, axis=1), words.value_rowids())
    return words.with_flat_values(numbers.flat_values < tf.minimum(share, highest))
