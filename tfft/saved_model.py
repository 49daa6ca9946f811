"""Write a SavedModel that takes raw text, and prove that it answers as the trained model does.

The graph holds the tokenizer, the model and the label names; each weight is
written once. The export gets its numbered name, by which TensorFlow Serving
finds it, only after a clean process has loaded it and given the same answers.
"""

import errno
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfft.errors import PresetError, RunError

_PYTHON_OPERATIONS = {"PyFunc", "PyFuncStateless", "EagerPyFunc", "NumpyFunc"}

TOLERANCE = 1e-5
"""Largest difference of a probability that passes as the same answer in float32."""

_WRITING = "writing-"

BATCH = 32
"""Texts in one call of the comparison, as in `reload_probe.py`."""

HARD_TEXTS = (
    "", " ", "a", "naïve café résumé", "ÅNGSTRÖM İstanbul ẞ Σ", "e\u0301cole", "ﬁne ½ … ™",
    "zero\u200bwidth soft\u00adhyphen non\u00a0breaking", "tab\tand\r\nline breaks", "null\x00byte",
    "我爱北京天安门。", "日本語テキスト", "한국어 텍스트", "Привет, мир!", "مرحبا بالعالم", "हिन्दी पाठ",
    "👍 great 👩‍👩‍👧 🇬🇧", "[CLS] [SEP] [MASK] [PAD]", "!!!???...---", "x" * 300, "word " * 600,
    "http://x.y/z?a=b&c=d#e user@example.org", "3.14 1,000,000 ١٢٣ Ⅳ", "don't can't I'll",
)  # fmt: skip
"""Texts on which tokenizers disagree, for the comparison."""


def signature(
    names: Iterable[str], answer: Callable[[Mapping[str, tf.Tensor]], dict[str, tf.Tensor]]
) -> tf.types.experimental.ConcreteFunction:
    """Return the function that is exported and used in process.

    Args:
        names: Of the columns that it takes as keywords, strings `[N]` each.
        answer: The columns to the task's answer.
    """

    def serving_default(**columns):
        return answer(columns)

    return tf.function(serving_default, autograph=False).get_concrete_function(
        **{name: tf.TensorSpec([None], tf.string, name=name) for name in names}
    )


def write(
    serve: tf.types.experimental.ConcreteFunction,
    model: keras.Model,
    preprocessor: tf.Module,
    base: Path,
    rows: Sequence[Mapping[str, str]],
) -> tuple[Path, dict[str, Any]]:
    """Export to the next free version below `base`.

    Args:
        serve: What `signature` returned.
        model: Its model, whose weights are written.
        preprocessor: Its preprocessor, whose tables are written.
        base: Folder of the numbered versions, as TensorFlow Serving's MODEL_BASE_PATH.
        rows: What to compare on, besides the hard texts: a text for each column.

    Returns:
        The version's folder, and the figures of the comparison, as in its
        `assets.extra/parity.json`.

    Raises:
        RunError: The reloaded model answers otherwise; nothing is kept.
    """
    base = base.absolute()  # the proof runs in another folder
    base.mkdir(parents=True, exist_ok=True)
    names = serve.structured_input_signature[1]
    # Each hard text once in each column, beside another.
    hard = [
        {name: HARD_TEXTS[(i + shift) % len(HARD_TEXTS)] for shift, name in enumerate(names)}
        for i in range(len(HARD_TEXTS))
    ]
    columns = {name: [row[name] for row in [*hard, *rows]] for name in names}
    # The name is no number, so a server that watches the folder passes over it.
    temporary = Path(tempfile.mkdtemp(dir=base, prefix=_WRITING))
    try:
        module = tf.Module(name="tfft")
        module.preprocessor = preprocessor
        # Plain variables: tracking the Keras layers too would write every weight twice.
        module.weights = [variable.value for variable in model.weights]
        tf.saved_model.save(module, str(temporary / "model"), signatures={"serving_default": serve})
        proof = _prove(serve, temporary / "model", columns)
        files = [file for file in (temporary / "model").rglob("*") if file.is_file()]
        proof["bytes"] = sum(file.stat().st_size for file in files)
        (temporary / "model" / "assets.extra").mkdir()
        (temporary / "model" / "assets.extra" / "parity.json").write_text(json.dumps(proof, indent=2))
        return _publish(temporary / "model", base), proof
    finally:
        shutil.rmtree(temporary)


def clear(base: Path) -> None:
    """Remove what exports left that were cut off, where nobody else writes."""
    for left in base.glob(f"{_WRITING}*"):
        shutil.rmtree(left)


def check(base: Path) -> None:
    """Refuse a folder for exports that cannot be made or written, before a model is trained for it.

    Raises:
        RunError: It is a file, or its nearest existing parent cannot be written.
    """
    place = base
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise RunError(
            f"export.directory: {base} cannot be written: {place} is "
            f"{'not writable' if place.is_dir() else 'no folder'}. Choose another."
        )


def check_operations(serve: tf.types.experimental.ConcreteFunction) -> None:
    """Refuse a signature that a server could not run, before anything is trained for it.

    A server has the operations of TensorFlow and TensorFlow Text, and no Python.

    Args:
        serve: What `signature` returned.

    Raises:
        PresetError: Names the operations.
    """
    graph = serve.graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    found = {node.op for node in nodes} - {function.signature.name for function in graph.library.function}
    python = found & _PYTHON_OPERATIONS
    # What neither TensorFlow nor TensorFlow Text defines comes from a third library.
    strange = {
        name
        for name in found - python
        if not hasattr(tf.raw_ops, name) and name.lower() not in _text_operations()
    }
    if python or strange:
        raise PresetError(
            f"backbone.preset: its model or tokenizer needs {', '.join(sorted(python | strange))}, which "
            "TensorFlow Serving does not have: it could not be exported with raw text as its input. "
            "Choose a preset with another tokenizer."
        )


@functools.cache
def _text_operations() -> frozenset[str]:
    """Return the operations of TensorFlow Text, spelt as in `RegexSplit` but in small letters."""
    import tensorflow_text

    libraries = (Path(tensorflow_text.__file__).parent / "python" / "ops").glob("*.so")
    return frozenset(
        name.replace("_", "") for library in libraries for name in dir(tf.load_op_library(str(library)))
    )


def load(version: Path) -> tf.types.experimental.ConcreteFunction:
    """Return the `serving_default` function of an export."""
    import tensorflow_text  # noqa: F401 - registers the tokenizer's operations

    return tf.saved_model.load(str(version)).signatures["serving_default"]


def _prove(serve, directory: Path, columns: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    rows = len(next(iter(columns.values())))
    parts = [
        serve(**{name: tf.constant(column[start : start + BATCH]) for name, column in columns.items()})
        for start in range(0, rows, BATCH)
    ]
    # Given as text and run in the export's own folder, the program sees neither tfft's files as
    # modules nor the user's; what is installed it sees, for the user alone or for all.
    probe = Path(__file__).with_name("reload_probe.py").read_text(encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-E", "-c", probe, str(directory)],
        cwd=directory,
        input=json.dumps(columns),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        start_new_session=True,  # Ctrl-C is for the run, which puts itself down in its own time
    )
    if done.returncode:
        raise RunError(f"The export cannot be loaded in a clean process:\n{done.stderr[-2000:]}")
    largest, unlike = 0.0, set[str]()
    for here, there in zip(parts, json.loads(done.stdout), strict=True):
        unlike |= here.keys() ^ there.keys()
        for name in here.keys() & there.keys():
            mine, other = here[name].numpy(), np.array(there[name])
            if here[name].dtype == tf.string:
                mine = np.char.decode(mine.astype(bytes), "utf-8")
                unlike |= set() if np.array_equal(mine, other.reshape(mine.shape)) else {name}
            elif mine.size or other.size:
                largest = max(largest, float(np.abs(mine - other).max()))
    if not largest <= TOLERANCE or unlike:
        raise RunError(
            f"The export answers otherwise than the trained model: numbers differ by up to {largest:.2e} "
            f"(allowed {TOLERANCE}), and these texts differ: {', '.join(sorted(unlike)) or 'none'}. It was "
            "not kept. This is a defect; please report it with the versions of tensorflow and "
            "tensorflow-text."
        )
    return {"texts_compared": rows, "largest_difference": largest}


def _publish(directory: Path, base: Path) -> Path:
    """Give the folder the next free number; the rename is what a watching server sees."""
    taken = [int(path.name) for path in base.iterdir() if path.name.isdecimal()]
    number = max(taken, default=0) + 1
    while True:
        try:
            return directory.rename(base / str(number))
        except OSError as error:  # another process has just taken the number
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            number += 1
