"""Which formats take which families of backbones, as random tiny models.

python -m benchmarks.formats_of_families [FAMILY ...]

From the root of the repository; prints a line for each pair: the largest difference of a probability from
float32 and the share of equal labels on a few texts, or why it was refused.
"""

import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from tests import families
from tests.test_backbone_families import SETTINGS, TEXTS
from tfft import classifier, plugins
from tfft.errors import RunError
from tfft.formats import OfText


def main() -> None:
    """Convert the families that are named, or all."""
    for family in sys.argv[1:] or families.BACKBONES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "preset").mkdir()
            families.write(folder / "preset", family)
            keras.utils.set_random_seed(0)
            keep(classifier.from_preset(str(folder / "preset"), **SETTINGS), folder)
            for form in plugins.names("formats"):
                print(family, form, told(form, folder), flush=True)


def keep(model, folder: Path) -> None:
    """Write a model as a run keeps it."""
    for name, content in model.preprocessor.tokenizer.files.items():
        (folder / name).write_bytes(content)
    (folder / "description.json").write_text(json.dumps(model.description))
    model.whole.save_weights(folder / "best.weights.h5")


def told(name: str, folder: Path) -> str:
    """Return how far a format's answers are from those of float32, or why it was refused."""
    read = partial(classifier.restore, folder / "description.json", folder / "best.weights.h5")
    model, form = read(), plugins.load("formats", name)()
    inputs = {key: value.numpy() for key, value in model.preprocessor({"text": tf.constant(TEXTS)}).items()}
    try:
        if isinstance(form, OfText):
            ask = asking(form.read(read))
        else:
            function, weights = model.signatures.others({})["tokens"], model.whole.weights
            form.write(function, [weight.value for weight in weights], folder / form.file)
            ask = form.load(folder / form.file)
        found, expected = ask(inputs), asking(model)(inputs)
    except (RunError, ValueError) as error:
        return f"refused: {error}"
    apart = np.abs(found["probabilities"] - expected["probabilities"]).max()
    equal = np.mean([text(a) == text(b) for a, b in zip(found["label"], expected["label"], strict=True)])
    return f"within {apart:.1e}, {equal:.0%} of the labels equal"


def asking(model):
    """Return what asks a model by the signature `tokens`."""
    function = model.signatures.others({})["tokens"]

    def ask(inputs):
        answer = function(**{name: tf.constant(array) for name, array in inputs.items()})
        return {name: value.numpy() for name, value in answer.items()}

    return ask


def text(value) -> str:
    """Return a text, whether it came as bytes or not."""
    return value.decode() if isinstance(value, bytes) else value


if __name__ == "__main__":
    main()
