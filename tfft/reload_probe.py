"""Run by `saved_model` in a clean process: load an export and answer rows.

Usage: python -E -c "$(cat reload_probe.py)" DIRECTORY < columns.json > batches.json

The server has TensorFlow's operations and TensorFlow Text's, but no Python. So
this process may import TensorFlow alone: Keras, KerasHub and tfft are barred
(importing them fails), and of TensorFlow Text only the libraries of operations
are loaded, not the Python package, which would import Keras.
"""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

BATCH = 32  # as in saved_model.py, so that both pad alike
BARRED = ("keras", "keras_hub", "tf_keras", "tfft", "transformers", "torch")


def main() -> None:
    """Answer the rows on standard input: a JSON object with a list of texts for each column."""
    for package in BARRED:
        sys.modules[package] = None  # type: ignore[assignment] # Python's own way to bar an import
    import numpy as np
    import tensorflow as tf

    text = find_spec("tensorflow_text")
    if text is None or text.origin is None:
        raise SystemExit("tensorflow-text is not installed")
    for library in sorted((Path(text.origin).parent / "python" / "ops").glob("*.so")):
        tf.load_op_library(str(library))

    columns = json.load(sys.stdin)
    rows = len(next(iter(columns.values())))
    serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
    batches: list[dict[str, list]] = []
    for start in range(0, rows, BATCH):
        batch = {name: tf.constant(column[start : start + BATCH]) for name, column in columns.items()}
        answers: dict[str, list] = {}
        for name, values in serve(**batch).items():
            is_text = values.dtype == tf.string
            array = values.numpy()
            array = np.char.decode(array.astype(bytes), "utf-8") if is_text else array.astype(float)
            answers[name] = array.tolist()
        batches.append(answers)
    json.dump(batches, sys.stdout)


if __name__ == "__main__":
    main()
