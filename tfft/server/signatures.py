"""The signatures of a SavedModel, and whether inputs are what one of them takes."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef, TensorInfo
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from tfft.server.folders import FILES
from tfft.server.status import Code, RequestError, invalid

DEFAULT = "serving_default"


def read(folder: Path) -> dict[str, SignatureDef]:
    """Return the signatures of the graph that is tagged for serving.

    Raises:
        OSError, ValueError: The folder has no such graph.
    """
    model = SavedModel()
    binary, text = (folder / name for name in FILES)
    if binary.is_file():
        model.ParseFromString(binary.read_bytes())
    else:
        text_format.Parse(text.read_text("utf-8"), model)
    for graph in model.meta_graphs:
        if "serve" in graph.meta_info_def.tags:
            return {
                name: signature
                for name, signature in graph.signature_def.items()
                if not name.startswith("__saved_model_")  # what TensorFlow runs when it loads
            }
    raise ValueError("no graph of the SavedModel is tagged 'serve'")


def check(signature: SignatureDef, inputs: Mapping[str, np.ndarray]) -> None:
    """Refuse inputs of other names, types or shapes than a signature's.

    Raises:
        RequestError: Names what is missing, unknown or unlike, or a tensor that is not dense.
    """
    for name, info in [*signature.inputs.items(), *signature.outputs.items()]:
        if info.WhichOneof("encoding") in ("coo_sparse", "composite_tensor"):
            raise RequestError(Code.UNIMPLEMENTED, f"{name!r} of this signature is not a dense tensor.")
    if signature.inputs.keys() != inputs.keys():
        missing = sorted(signature.inputs.keys() - inputs.keys())
        extra = sorted(inputs.keys() - signature.inputs.keys())
        raise invalid(f"The inputs are not those of the signature: missing {missing}, unknown {extra}.")
    for name, info in signature.inputs.items():
        given, expected = inputs[name], tf.dtypes.as_dtype(info.dtype)
        if given.dtype != expected.as_numpy_dtype:
            raise invalid(f"Input {name!r} must be of type {expected.name}, got {type_name(given.dtype)}.")
        shape = shape_of(info)
        if shape is not None and not (
            len(shape) == given.ndim
            and all(size in (-1, found) for size, found in zip(shape, given.shape, strict=True))
        ):
            raise invalid(f"Input {name!r} must have the shape {shape}, got {[*given.shape]}.")


def can_be_joined(signature: SignatureDef) -> bool:
    """Tell whether rows of several calls can go together: dimension 0 is free in all that goes in and out."""
    tensors = [*signature.inputs.values(), *signature.outputs.values()]
    return bool(signature.inputs) and all((shape_of(info) or [0])[0] == -1 for info in tensors)


def shape_of(info: TensorInfo) -> list[int] | None:
    """Return a tensor's shape, -1 for what is free; None where not even the rank is fixed."""
    shape = info.tensor_shape
    return None if shape.unknown_rank else [dimension.size for dimension in shape.dim]


def type_name(dtype: np.dtype) -> str:
    """Return the name of a NumPy type as TensorFlow has it."""
    return "string" if dtype.kind == "O" else dtype.name


def find(signatures: Mapping[str, SignatureDef], name: str, code: Code) -> SignatureDef:
    """Return the signature of a name.

    Args:
        signatures: As `read` returns them.
        name: Its name; an empty one means `DEFAULT`.
        code: The code of the failure, in which the methods of the real server differ.

    Raises:
        RequestError: There is none; tells which there are.
    """
    if found := signatures.get(name or DEFAULT):
        return found
    there = ", ".join(sorted(signatures)) or "none"
    raise RequestError(code, f"There is no signature {name or DEFAULT!r}; the model has {there}.")
