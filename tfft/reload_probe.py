"""Run by `clean_process`: load an export and answer requests.

Usage: python -E -c "$(cat reload_probe.py)" DIRECTORY < requests.json > answers.json

The server has TensorFlow's operations and TensorFlow Text's, but no Python. So
this process may import TensorFlow alone: Keras, KerasHub and tfft are barred
(importing them fails), and of TensorFlow Text only the libraries of operations
are loaded, not the Python package, which would import Keras.

A request names a signature, and its inputs as the REST interface of TensorFlow Serving takes them: lists of
numbers or of texts, and `{"b64": ...}` for bytes. An answer holds the outputs in the same form or, in
their place, the text of the error.
"""

import base64
import json
import sys
from importlib.util import find_spec
from pathlib import Path

BARRED = ("keras", "keras_hub", "tf_keras", "tfft", "transformers", "torch")


def main() -> None:
    """Answer the requests on standard input: a JSON list of `signature_name` and `inputs`."""
    for package in BARRED:
        sys.modules[package] = None  # type: ignore[assignment] # Python's own way to bar an import
    import tensorflow as tf

    text = find_spec("tensorflow_text")
    if text is None or text.origin is None:
        raise SystemExit("tensorflow-text is not installed")
    for library in sorted((Path(text.origin).parent / "python" / "ops").glob("*.so")):
        tf.load_op_library(str(library))

    loaded = tf.saved_model.load(sys.argv[1])  # kept, or its weights would go
    answers: list = []
    for request in json.load(sys.stdin):
        try:
            answers.append(answer(loaded.signatures[request["signature_name"]], request["inputs"]))
        except (KeyError, TypeError, ValueError, tf.errors.OpError) as error:
            answers.append(f"{type(error).__name__}: {error}")
    json.dump(answers, sys.stdout)


def answer(signature, inputs) -> dict:
    """Return the outputs of a signature for inputs, both ready for JSON."""
    return {name: plain(values.numpy()) for name, values in signature(**tensors(signature, inputs)).items()}


def tensors(signature, inputs) -> dict:
    """Return inputs as the tensors that a signature takes."""
    import tensorflow as tf

    specs = signature.structured_input_signature[1]
    return {name: tf.constant(_decoded(value), specs[name].dtype) for name, value in inputs.items()}


def plain(array):
    """Return the values of an array, or of one text, as lists of numbers and texts."""
    return _text(array if isinstance(array, bytes) else array.tolist())


def _text(value):
    if isinstance(value, list):
        return [_text(item) for item in value]
    return value.decode("utf-8") if isinstance(value, bytes) else value


def _decoded(value):
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value


if __name__ == "__main__":
    main()
