"""An `.onnx` file in float32, for ONNX Runtime and whatever else reads it."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfft.errors import RunError
from tfft.formats import OfTokens, _runtimes, check_size

_OPSET = 18
"""Version of the operations; the newest that tf2onnx writes."""


def build() -> OfTokens:
    """One file for any number of rows and tokens, written by tf2onnx."""
    return OfTokens(
        tolerance=1e-5,
        agreement=1.0,
        lost="The tokenizer, and with it all signatures that take text: the client makes the token ids.",
        file="model.onnx",
        runtime="onnx",
        packages={"onnx": "onnx", "onnxruntime": "onnxruntime", "tf2onnx": "tf2onnx"},
        write=_write,
        load=_runtimes.onnx,
    )


def _write(function: Any, variables: Sequence[Any], path: Path) -> None:
    import onnx
    import tensorflow as tf
    import tf2onnx
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    check_size(variables)
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # what it cannot do is told below
    outputs = sorted(function.structured_outputs)
    try:
        # What the function holds besides variables, as names of labels, would be taken for more inputs.
        frozen = convert_variables_to_constants_v2(function)
        signature = [tf.TensorSpec(tensor.shape, tensor.dtype, _name(tensor)) for tensor in frozen.inputs]
        model, _ = tf2onnx.convert.from_function(
            tf.function(
                lambda *tensors: dict(zip(outputs, frozen(*tensors), strict=True)),
                input_signature=signature,
                autograph=False,
            ),
            signature,
            opset=_OPSET,
            custom_op_handlers={"Erfc": (_erfc, [])},
        )
    except Exception as error:  # it raises whatever comes
        raise RunError(f"The model cannot be converted: {type(error).__name__}: {error}") from error
    # It leaves operations that it does not know as they are.
    kinds = {node.op_type for node in model.graph.node if node.domain in ("", "ai.onnx")}
    if unknown := sorted(kind for kind in kinds if not onnx.defs.has(kind)):
        raise RunError(f"The model cannot be converted: tf2onnx does not know {', '.join(unknown)}.")
    # In TensorFlow a size of 0 is none at all, as of a text without words; in ONNX it is that of the input,
    # unless this is set. Sizes that are constant are tf2onnx's own.
    constant = {tensor.name for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Reshape" and node.input[1] not in constant:
            node.attribute.append(onnx.helper.make_attribute("allowzero", 1))
    path.write_bytes(model.SerializeToString())


def _name(tensor: Any) -> str:
    return tensor.name.partition(":")[0]


def _erfc(graph: Any, node: Any, name: str, arguments: Any) -> None:
    """Write the complement of the error function, of which GELU is made, as 1 less the function itself."""
    import numpy as np
    from tf2onnx.utils import make_name

    (taken,), (given,), shapes, dtypes = node.input, node.output, node.output_shapes, node.output_dtypes
    graph.remove_node(node.name)
    one = graph.make_const(make_name("one"), np.array(1, np.float32))
    erf = graph.make_node("Erf", [taken], shapes=shapes, dtypes=dtypes)
    graph.make_node("Sub", [one.output[0], erf.output[0]], outputs=[given], shapes=shapes, dtypes=dtypes)
