"""A SavedModel whose matrices are kept in 8 bits."""

import warnings
from collections.abc import Callable
from typing import Any

from tfft.errors import RunError
from tfft.formats import OfText


def build() -> OfText:
    """A quarter of the size: Keras keeps each matrix in int8 with a scale for each channel.

    Numbers are computed in float32: with them in int8, too, which is Keras's default, TensorFlow is slower on
    a processor, not faster.
    """
    return OfText(
        tolerance=0.1,
        agreement=0.95,
        lost="About two decimals of each number. It is smaller, not faster.",
        read=_read,
    )


def _read(float32: Callable[[], Any]) -> Any:
    from keras.quantizers import Int8QuantizationConfig

    model, of_weights = float32(), Int8QuantizationConfig(activation_quantizer=None)
    with warnings.catch_warnings():
        # Of a table of positions, which stays as it is.
        warnings.filterwarnings("ignore", message=".*does not have a `quantize` method.*")
        try:
            model.whole.quantize(config=of_weights, filters=_has_matrix)
        except (NotImplementedError, TypeError, ValueError) as error:
            raise RunError(f"Keras cannot quantise the model: {error}") from error
    return model


def _has_matrix(layer: Any) -> bool:
    return layer.built and any(len(weight.shape) > 1 for weight in layer.weights)
