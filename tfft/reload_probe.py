"""Run by `saved_model` in a clean process: load an export and answer texts.

Usage: python -E -c "$(cat reload_probe.py)" DIRECTORY < texts.json > answers.json

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
    """Answer the JSON list of texts on standard input."""
    for package in BARRED:
        sys.modules[package] = None  # type: ignore[assignment] # Python's own way to bar an import
    import tensorflow as tf

    text = find_spec("tensorflow_text")
    if text is None or text.origin is None:
        raise SystemExit("tensorflow-text is not installed")
    for library in sorted((Path(text.origin).parent / "python" / "ops").glob("*.so")):
        tf.load_op_library(str(library))

    texts = json.load(sys.stdin)
    serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
    labels: list[str] = []
    probabilities: list[list[float]] = []
    for start in range(0, len(texts), BATCH):
        answers = serve(text=tf.constant(texts[start : start + BATCH]))
        labels += [label.decode() for label in answers["label"].numpy()]
        probabilities += answers["probabilities"].numpy().astype(float).tolist()
    json.dump({"label": labels, "probabilities": probabilities}, sys.stdout)


if __name__ == "__main__":
    main()
