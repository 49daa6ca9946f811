"""Write a SavedModel that takes raw text, and prove that it answers as the trained model does.

The graph holds the tokenizer, the model and the label names; each weight is
written once. Beside it, in `assets.extra/`, lie what a server warms up with, what
its user can check it by, and what it came from. The export gets its numbered
name, by which TensorFlow Serving finds it, only after a clean process has loaded
it and given the same answers.
"""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from tfft import (
    clean_process,
    golden,
    manifest,
    model_card,
    operations,
    parity,
    reload_probe,
    signatures,
    warmup,
)
from tfft.errors import PresetError, RunError
from tfft.preprocessor import Preprocessor

_Function: TypeAlias = tf.types.experimental.ConcreteFunction
_NOTHING: Mapping[str, Any] = MappingProxyType({})

_WRITING = "writing-"

BATCH = 32
"""Texts in one call of the comparison."""

_WARM = (1, 8)
"""Rows of the requests that a server warms up with; the largest batch would take it long."""

_GOLDEN = 200
_GOLDEN_OF_OTHERS = 4
"""Requests that are kept with their answers, of all signatures and of each but the first."""

HARD_TEXTS = (
    "", " ", "a", "naïve café résumé", "ÅNGSTRÖM İstanbul ẞ Σ", "e\u0301cole", "ﬁne ½ … ™",
    "zero\u200bwidth soft\u00adhyphen non\u00a0breaking", "tab\tand\r\nline breaks", "null\x00byte",
    "我爱北京天安门。", "日本語テキスト", "한국어 텍스트", "Привет, мир!", "مرحبا بالعالم", "हिन्दी पाठ",
    "👍 great 👩‍👩‍👧 🇬🇧", "[CLS] [SEP] [MASK] [PAD]", "!!!???...---", "x" * 300, "word " * 600,
    "http://x.y/z?a=b&c=d#e user@example.org", "3.14 1,000,000 ١٢٣ Ⅳ", "don't can't I'll",
)  # fmt: skip
"""Texts on which tokenizers disagree, for the comparison."""


def write(
    serve: _Function,
    model: keras.Model,
    preprocessor: Preprocessor,
    base: Path,
    rows: Sequence[Mapping[str, str]],
    *,
    others: Mapping[str, _Function] = _NOTHING,
    about: Mapping[str, Any] = _NOTHING,
) -> tuple[Path, dict[str, Any]]:
    """Export to the next free version below `base`.

    Args:
        serve: The function from columns of strings `[N]` to the answer.
        model: Its model, whose weights are written.
        preprocessor: Its preprocessor, whose tables are written.
        base: Folder of the numbered versions, as TensorFlow Serving's MODEL_BASE_PATH.
        rows: What to compare on, besides the hard texts: a text for each column.
        others: Functions of the same model by the names of further signatures.
        about: What the manifest and the model card tell of the model, ready for JSON: `labels` and
            whatever else is known.

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
    asked = [*hard, *({name: row[name] for name in names} for row in rows)]
    functions = {"serving_default": serve, **others}
    # The name is no number, so a server that watches the folder passes over it.
    temporary = Path(tempfile.mkdtemp(dir=base, prefix=_WRITING))
    try:
        version = temporary / "model"
        module = tf.Module(name="tfft")
        module.preprocessor = preprocessor
        # Plain variables: tracking the Keras layers too would write every weight twice.
        module.weights = [variable.value for variable in model.weights]
        tf.saved_model.save(module, str(version), signatures=functions)
        (version / "assets.extra").mkdir()
        if about.get("labels"):
            _write_json(version / "assets.extra" / "labels.json", about["labels"])
        golden.write(version, _answered(functions, asked, preprocessor))
        warmup.write(version, base.name, _warming(functions, preprocessor))
        proof = _prove(serve, version, asked)
        proof["bytes"] = sum(file.stat().st_size for file in version.rglob("*") if file.is_file())
        _write_json(version / "assets.extra" / "parity.json", proof)
        card = model_card.text(about, manifest.signatures(manifest.graph(version)))
        (version / model_card.FILE).write_text(card, encoding="utf-8")
        manifest.write(version, {"proof": proof, **about})
        return publish(version, base), proof
    finally:
        shutil.rmtree(temporary)


def newest(where: Path) -> Path | None:
    """Return the export that a folder is, or the newest that it has as numbered versions; None for none."""
    if (where / "saved_model.pb").is_file():
        return where
    versions = [p for p in where.glob("*") if p.name.isdecimal() and (p / "saved_model.pb").is_file()]
    return max(versions, key=lambda path: int(path.name), default=None)


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
        serve: Function of a signature.

    Raises:
        PresetError: Names the operations.
    """
    if foreign := operations.foreign(serve.graph.as_graph_def()):
        raise PresetError(
            f"backbone.preset: its model or tokenizer needs {', '.join(foreign)}, which "
            "TensorFlow Serving does not have: it could not be exported with raw text as its input. "
            "Choose a preset with another tokenizer."
        )


def load(version: Path) -> tf.types.experimental.ConcreteFunction:
    """Return the `serving_default` function of an export."""
    import tensorflow_text  # noqa: F401 - registers the tokenizer's operations

    return tf.saved_model.load(str(version)).signatures["serving_default"]


def _answered(
    functions: Mapping[str, _Function], rows: Sequence[Mapping[str, str]], preprocessor: Preprocessor
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return requests of one row each, and what the trained model answers."""
    asked = [(name, row) for name in _taking(functions)[1:] for row in rows[:_GOLDEN_OF_OTHERS]]
    asked = [*(("serving_default", row) for row in rows[: _GOLDEN - len(asked)]), *asked]
    requests = [signatures.request(name, [row], preprocessor) for name, row in asked]
    return [
        (request, reload_probe.answer(functions[request["signature_name"]], request["inputs"]))
        for request in requests
    ]


def _warming(
    functions: Mapping[str, _Function], preprocessor: Preprocessor
) -> list[tuple[str, dict[str, tf.Tensor]]]:
    """Return requests by each signature, of one row and of several, of the shortest and the longest text."""
    texts = ("a", "word " * preprocessor.room())
    rows = [dict.fromkeys(preprocessor.read.columns, text) for text in texts]
    requests = [
        signatures.request(name, [row] * count, preprocessor)
        for name in _taking(functions)
        for row in rows
        for count in _WARM
    ]
    return [
        (name, reload_probe.tensors(functions[name], request["inputs"]))
        for request in requests
        for name in [request["signature_name"]]
    ]


def _taking(functions: Mapping[str, _Function]) -> list[str]:
    """Return the names of those that take something. A server that batches cannot be asked for the others."""
    return [name for name, function in functions.items() if function.structured_input_signature[1]]


def _prove(serve: _Function, version: Path, rows: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Compare what a clean process answers to rows, and to the requests in the export, and warm it up."""
    requests = [
        {
            "signature_name": "serving_default",
            "inputs": {name: [row[name] for row in rows[start : start + BATCH]] for name in rows[0]},
        }
        for start in range(0, len(rows), BATCH)
    ]
    expected = [reload_probe.answer(serve, request["inputs"]) for request in requests]
    for request, outputs in golden.read(version):
        requests.append(request)
        expected.append(outputs)
    warming = warmup.read(version)
    found = clean_process.answers(version, [*requests, *warming])
    apart = parity.difference(zip(expected, found[: len(requests)], strict=True))
    refused = [answer for answer in found[len(requests) :] if isinstance(answer, str)]
    if not apart.is_small or refused:
        raise RunError(
            f"The export answers otherwise than the trained model: {apart}. "
            + "".join(f"A server could not warm up by it: {error}. " for error in refused[:1])
            + "It was not kept. This is a defect; please report it with the versions of tensorflow and "
            "tensorflow-text."
        )
    return {"texts_compared": len(rows), "largest_difference": apart.largest}


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def publish(directory: Path, base: Path) -> Path:
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
