"""One loaded version of a model, which calls of its signatures run on."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfft.server import signatures
from tfft.server.status import BY_NUMBER, Code, RequestError, invalid

_PLACES = re.compile(r"\s*\[\[\{\{.*|\s*\[Op:.*|\{\{.*?\}\} ?", re.DOTALL)
"""Names of nodes and functions of a graph, as in `[[{{node Add}}]] [Op:__inference_f_1]`."""


class Servable:
    """A version of a model in memory.

    Attributes:
        version: Its number.
        signatures: Its signatures by name, as the SavedModel declares them.
    """

    def __init__(self, version: int, folder: Path) -> None:
        import tensorflow_text  # noqa: F401 - registers the operations of tokenizers

        self.version, self._folder = version, str(folder)
        self.signatures = signatures.read(folder)
        self._loaded = tf.saved_model.load(str(folder))
        self._functions = {**self._loaded.signatures}

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs of a signature; the inputs are checked before.

        Raises:
            RequestError: The graph refuses the values.
        """
        feeds = {
            name: tf.constant(value, tf.dtypes.as_dtype(self.signatures[signature].inputs[name].dtype))
            for name, value in inputs.items()
        }
        try:
            outputs = self._functions[signature](**feeds)
            return {name: np.asarray(value.numpy()) for name, value in outputs.items()}
        except tf.errors.OpError as error:
            code = BY_NUMBER.get(error.error_code, Code.UNKNOWN)
            # Clients need not know where the version lies.
            reason = _reason(error.message).replace(self._folder, str(self.version))
            raise RequestError(code, reason) from error
        except UnicodeDecodeError as error:  # TensorFlow's own message quoted a value that is no text
            raise invalid("The model cannot read a value, which is not valid UTF-8.") from error


def _reason(message: str) -> str:
    """Return what a graph says without where in the graph it says so."""
    told = message.rpartition("<stack traces unavailable>")[2]
    return _PLACES.sub("", told).strip()
