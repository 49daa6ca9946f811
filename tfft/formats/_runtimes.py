"""Ask a model file by its runtime alone.

Usage: python -E -c "$(cat _runtimes.py)" RUNTIME FILE < requests.json > answers.json

So run by `clean_process`, it may import neither TensorFlow nor Keras nor tfft: a client has none of them. A
request holds `inputs`, lists of whole numbers by their names; an answer the outputs in the same form or, in
their place, the text of the error.
"""

import json
import os
import sys
from pathlib import Path

BARRED = ("keras", "keras_hub", "onnx", "tensorflow", "tensorflow_text", "tf2onnx", "tfft", "torch")


def main() -> None:
    """Answer the requests on standard input."""
    for package in BARRED:
        sys.modules[package] = None  # type: ignore[assignment] # Python's own way to bar an import
    import numpy as np

    runtime, path = sys.argv[1:]
    ask = {"litert": litert, "onnx": onnx}[runtime](Path(path))
    answers: list = []
    for request in json.load(sys.stdin):
        inputs = {name: np.array(values, np.int32) for name, values in request["inputs"].items()}
        try:
            answers.append({name: _plain(array.tolist()) for name, array in ask(inputs).items()})
        except Exception as error:  # each runtime raises its own kinds
            answers.append(f"{type(error).__name__}: {error}")
    json.dump(answers, sys.stdout)


def litert(path):
    """Return what asks a `.tflite` file."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(path), num_threads=os.cpu_count()).get_signature_runner("tokens")
    return lambda inputs: runner(**inputs)


def onnx(path):
    """Return what asks an `.onnx` file."""
    from onnxruntime import InferenceSession

    session = InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, inputs), strict=True))


def _plain(value):
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.decode("utf-8") if isinstance(value, bytes) else value


if __name__ == "__main__":
    main()
