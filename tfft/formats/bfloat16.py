"""A SavedModel whose weights are kept, and computed with, in 16 bits."""

from collections.abc import Callable
from typing import Any

from tfft.formats import OfText


def build() -> OfText:
    """Half the size; as fast as the processor is at bfloat16: the range of float32, with 8 bits of precision.

    Norms are computed in float32, as Keras does, and so is the head.
    """
    return OfText(
        tolerance=0.05,
        agreement=0.95,
        lost="About two decimals of each number. A processor without operations on bfloat16 is slower by it.",
        read=_read,
    )


def _read(float32: Callable[[], Any]) -> Any:
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("bfloat16")
    try:
        return float32()  # the layers are built in the policy's type, and what is read is cast to it
    finally:
        keras.config.set_dtype_policy(before)
