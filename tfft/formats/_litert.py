"""Write `.tflite` files by TensorFlow's own converter."""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfft.errors import RunError

PACKAGES = {"ai_edge_litert": "ai-edge-litert"}

LOST = (
    "The tokenizer, and with it all signatures that take text: the client makes the token ids. Only LiteRT's "
    "own operations are used, so no build of it with TensorFlow's is needed."
)


def write(function: Any, variables: Sequence[Any], path: Path, *, is_quantized: bool) -> None:
    """Write the file, with one signature, `tokens`.

    Args:
        function: Of that signature.
        variables: That it reads.
        path: Of the file.
        is_quantized: Whether matrices are kept in int8, and multiplied in it ("dynamic range").

    Raises:
        RunError: LiteRT lacks operations of the model.
    """
    import tensorflow as tf

    module = tf.Module()
    module.weights = list(variables)
    # Through a SavedModel, for from a function alone the converter writes no signature.
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={"tokens": function})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["tokens"])
        if is_quantized:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        try:
            content = converter.convert()
        except Exception as error:  # the converter has several kinds, of which one is public
            found = re.findall(r"(?:TF Select|Custom) ops: (.*)", str(error))
            told = f"LiteRT does not have {', '.join(found)}" if found else str(error)[:500]
            raise RunError(f"The model cannot be converted: {told}.") from error
    path.write_bytes(content)
