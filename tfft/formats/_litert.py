"""Write `.tflite` files by TensorFlow's own converter."""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfft.errors import RunError
from tfft.formats import check_size

PACKAGES = {"ai_edge_litert": "ai-edge-litert"}

LOST = (
    "The tokenizer, and with it all signatures that take text: the client makes the token ids. Only LiteRT's "
    "own operations are used, so no build of it with TensorFlow's is needed."
)


def write(function: Any, variables: Sequence[Any], path: Path, *, optimizations: Sequence[str] = ()) -> None:
    """Write the file, with one signature, `tokens`.

    Args:
        function: Of that signature.
        variables: That it reads.
        path: Of the file.
        optimizations: Names of TensorFlow's `tf.lite.Optimize`.

    Raises:
        RunError: LiteRT lacks operations of the model, or it is too large.
    """
    import tensorflow as tf

    check_size(variables)
    # Through a SavedModel, for from a function alone the converter writes no signature.
    with tempfile.TemporaryDirectory() as folder:
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        try:
            tf.saved_model.save(tf.Module(), folder, {"tokens": _frozen(function)}, options)
            converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["tokens"])
            converter.optimizations = [tf.lite.Optimize[name] for name in optimizations]
            content = converter.convert()
        except Exception as error:  # the converter has several kinds, of which one is public
            found = re.findall(r"(?:TF Select|Custom) ops: (.*)", str(error))
            told = f"LiteRT does not have {', '.join(found)}" if found else str(error)[:500]
            raise RunError(f"The model cannot be converted: {told}.") from error
    path.write_bytes(content)


def _frozen(function: Any) -> Any:
    """Return a function with constants for its variables, whose axes are added as LiteRT can add them."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    frozen = convert_variables_to_constants_v2(function)
    graph = _expanding(frozen.graph.as_graph_def())
    imported = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    taken, given = ([tensor.name for tensor in side] for side in (frozen.inputs, frozen.outputs))
    pruned = imported.prune(taken, given)
    names = sorted(function.structured_outputs)

    def tokens(**tensors):
        answers = pruned(*(tensors[name.partition(":")[0]] for name in taken))
        return dict(zip(names, answers, strict=True))

    specs = function.structured_input_signature[1]
    return tf.function(tokens, autograph=False).get_concrete_function(**specs)


def _expanding(graph: Any) -> Any:
    """Return a graph in which axes are added by ExpandDims, not by slices: LiteRT's add none."""
    import tensorflow as tf

    constants = {node.name: node for node in graph.node if node.op == "Const"}
    made = tf.compat.v1.GraphDef(versions=graph.versions)
    for node in graph.node:
        axes = _added(node, constants) if node.op == "StridedSlice" else None
        if not axes:
            made.node.append(node)
            continue
        source = node.input[0]
        for place, axis in enumerate(axes, start=1):
            dim = made.node.add(name=f"{node.name}/axis_{place}", op="Const")
            dim.attr["dtype"].type = tf.int32.as_datatype_enum
            dim.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(axis, tf.int32))
            name = node.name if place == len(axes) else f"{node.name}/wider_{place}"
            wider = made.node.add(name=name, op="ExpandDims")
            wider.input.extend([source, dim.name])
            wider.attr["T"].CopyFrom(node.attr["T"])
            wider.attr["Tdim"].type = tf.int32.as_datatype_enum
            source = wider.name
    return made


def _added(node: Any, constants: Any) -> list[int]:
    """Return the axes that a slice adds, one after the other; none where it does more than that."""
    import tensorflow as tf

    if node.input[1] not in constants or node.input[3] not in constants:
        return []
    strides = tf.make_ndarray(constants[node.input[3]].attr["value"].tensor)
    new, begin, end, ellipsis, shrink = (
        node.attr[f"{mask}_mask"].i for mask in ("new_axis", "begin", "end", "ellipsis", "shrink_axis")
    )
    whole = new | ellipsis | (begin & end)
    if shrink or (strides != 1).any() or whole + 1 < 1 << len(strides):
        return []
    at = ellipsis.bit_length() - 1 if ellipsis else len(strides)
    front = [place for place in range(at) if new >> place & 1]
    # Behind the ellipsis, whose axes are not counted, from the end, and the last one first.
    back = [place - len(strides) for place in reversed(range(at + 1, len(strides))) if new >> place & 1]
    return front + back
