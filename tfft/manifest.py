"""What an export is made of: its files and their hashes, its signatures, and what it came from."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfft import fingerprint
from tfft.errors import RunError

FILE = Path("assets.extra") / "manifest.json"


def write(version: Path, about: Mapping[str, Any]) -> None:
    """Write the manifest of an export that is complete but for it.

    Args:
        version: Folder of the export.
        about: What else to keep, ready for JSON.
    """
    content = {"files": files(version), "signatures": signatures(graph(version)), **about}
    (version / FILE).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read(version: Path) -> dict[str, Any]:
    """Return the manifest of an export.

    Raises:
        RunError: It is missing or damaged.
    """
    path = version / FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {**content, "files": {**content["files"]}, "signatures": {**content["signatures"]}}
    except FileNotFoundError as error:
        raise RunError(
            f"{version} has no {FILE}: it is no export of tfft, or one of an older version. Name the folder "
            "of a version, or export the run again."
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path} cannot be read: {type(error).__name__}: {error}. Export the run again."
        ) from error


def files(version: Path) -> dict[str, dict[str, Any]]:
    """Return `bytes` and `sha256` of every file of an export but the manifest, by its path in the folder."""
    found = sorted(path for path in version.rglob("*") if path.is_file() and path != version / FILE)
    return {
        path.relative_to(version).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": fingerprint.of_files(path),
        }
        for path in found
    }


def graph(version: Path) -> Any:
    """Return the MetaGraphDef of an export.

    Raises:
        RunError: It is damaged.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    path = version / "saved_model.pb"
    try:
        (found,) = saved_model_pb2.SavedModel.FromString(path.read_bytes()).meta_graphs
    except (OSError, DecodeError, ValueError) as error:
        raise RunError(
            f"{path} cannot be read: {type(error).__name__}: {error}. Export the run again."
        ) from error
    return found


def signatures(graph: Any) -> dict[str, Any]:
    """Return `inputs` and `outputs` of each signature: `dtype` and `shape` by name, null for any length."""
    return {
        name: {
            side: {key: _tensor(tensors[key]) for key in sorted(tensors)}
            for side, tensors in (("inputs", signature.inputs), ("outputs", signature.outputs))
        }
        for name, signature in sorted(graph.signature_def.items())
        if not name.startswith("__")  # TensorFlow's own
    }


def _tensor(info: Any) -> dict[str, Any]:
    shape = tf.TensorShape(info.tensor_shape)
    return {
        "dtype": tf.dtypes.as_dtype(info.dtype).name,
        "shape": None if shape.rank is None else shape.as_list(),
    }
