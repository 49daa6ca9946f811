"""A finished run's model in other formats, each proved and measured beside its export in float32.

What is asked of all of them are token ids, which all take: the golden requests of the export, for how far
the answers are apart, and rows of a split, for how many are right. A format is kept only when it has loaded
in a process that has nothing but its runtime, and has answered there as closely as it promises.
"""

import contextlib
import functools
import importlib.metadata
import importlib.util
import json
import logging
import os
import platform
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfft import (
    clean_process,
    config,
    fingerprint,
    finished,
    format_figures,
    format_report,
    golden,
    parity,
    plugins,
    reload_probe,
    run_folder,
    saved_model,
    signatures,
)
from tfft.classifier import Classifier
from tfft.errors import RunError, SettingError
from tfft.format_figures import Figures
from tfft.format_report import Outcome, Report
from tfft.formats import Ask, Format, OfText, OfTokens

_log = logging.getLogger("tfft")
_FOLDER = "formats"
_TOGETHER = 5  # golden rows in one request
_RUNTIMES = Path(__file__).parent / "formats" / "_runtimes.py"

_Answers = Sequence[dict[str, Any] | str]


@dataclass(frozen=True)
class _Golden:
    """The golden requests of an export, by token ids.

    Attributes:
        rows: A text for each column.
        requests: Each as a request of the signature `tokens` and, last, several of unlike lengths as one.
        answers: Of the export.
    """

    rows: Sequence[Mapping[str, str]]
    requests: Sequence[Mapping[str, Any]]
    answers: Sequence[Mapping[str, Any]]


def run(directory: Path, names: Sequence[str] = (), *, rows: int = 2000) -> Report:
    """Write a run's model in other formats, below `formats/` in its folder, and measure each.

    Args:
        directory: The run's folder.
        names: Of the formats; none takes all.
        rows: How many of the test split, or of validation where there is no test, are asked at most.

    Returns:
        What came of each, as in `evaluation/formats.json`.

    Raises:
        SettingError: A package is missing.
        RunError: There is no run, no export of its weights, or nowhere to write.
    """
    chosen = dict.fromkeys(names or plugins.names("formats"))
    formats: dict[str, Format] = {name: plugins.load("formats", name)() for name in chosen}
    _check_packages(formats)
    directory = run_folder.existing(directory).absolute()
    _check_folder(directory / _FOLDER)
    settings = config.restore(directory / "config.yaml")
    export = _export_of(directory, settings.export.directory or directory / "export")
    model = finished.restore(directory)
    split, part = finished.split_of(settings, directory, None)
    asked = format_figures.read(model, finished.task_of(settings), part.table, f"data.{split}", rows)
    kept = _golden(export, model, directory)

    float32 = _load(export)
    given = format_figures.answers(float32, asked)
    outcomes = [
        Outcome(
            name="float32",
            takes="text",
            lost="",
            tolerance=parity.TOLERANCE,
            folder=str(export),
            difference=0.0,
            agreement=1.0,
            figures=format_figures.of(float32, export, given, given, asked),
        )
    ]
    for name, form in formats.items():
        _log.info(f"Format {name}")
        outcome = Outcome(name, "text" if isinstance(form, OfText) else "tokens", form.lost, form.tolerance)

        def measure(ask: Ask, loaded: Path) -> Figures:
            return format_figures.of(ask, loaded, format_figures.answers(ask, asked), given, asked)

        try:
            version, difference, agreement, figures = _write(name, form, model, kept, directory, measure)
        except RunError as error:
            _log.warning(f"Warning: {name} was not kept. {error}")
            outcomes.append(replace(outcome, problem=str(error)))
            continue
        outcomes.append(
            replace(outcome, folder=str(version), difference=difference, agreement=agreement, figures=figures)
        )
    report = Report(
        split, len(asked.counts), len(kept.rows), asked.figure, _versions(formats), _machine(), outcomes
    )
    run_folder.write_json(directory / "evaluation" / "formats.json", asdict(report))
    run_folder.write_text(directory / "evaluation" / "formats.md", format_report.markdown(report))
    return report


def _check_packages(formats: Mapping[str, Format]) -> None:
    for name, form in formats.items():
        if not isinstance(form, OfTokens):
            continue
        absent = [
            package for module, package in form.packages.items() if not importlib.util.find_spec(module)
        ]
        if absent:
            raise SettingError(
                "--format",
                name,
                f"needs what is not installed: {', '.join(absent)}",
                fix="Install it: pip install 'tfft[formats]'. Or name the formats that you want.",
            )


def _check_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
        tempfile.TemporaryDirectory(dir=folder).cleanup()
    except OSError as error:
        raise RunError(f"{folder} cannot be written: {error}. Formats are kept there.") from error


def _export_of(directory: Path, base: Path) -> Path:
    """Return the export of the weights that a run keeps or, where none is recorded, the newest."""
    record = directory / run_folder.EXPORTED
    versions = run_folder.read_json(record) if record.exists() else {}
    recorded = versions.get(fingerprint.of_weights(directory / run_folder.WEIGHTS))
    found = saved_model.newest(Path(recorded)) if recorded else None
    found = found or saved_model.newest(Path(base))
    if found is None:
        raise RunError(f"{directory} has no export to compare with. Write one: tfft export {directory}")
    return found.absolute()


def _golden(export: Path, model: Classifier, directory: Path) -> _Golden:
    """Read the golden requests of an export, and what it answers to them by token ids.

    Raises:
        RunError: It is not the export of this model.
    """
    texts = [r["inputs"] for r, _ in golden.read(export) if r["signature_name"] == "serving_default"]
    rows = [{name: text for name, (text,) in columns.items()} for columns in texts]
    together = rows[:: max(1, len(rows) // _TOGETHER)][:_TOGETHER]
    requests = [
        signatures.request("tokens", some, model.preprocessor) for some in [*([r] for r in rows), together]
    ]
    function = model.signatures.others({})["tokens"]
    own = [reload_probe.answer(function, request["inputs"]) for request in requests]
    found = clean_process.answers(export, requests)
    apart = parity.difference(zip(own, found, strict=True))
    if not apart.is_small:
        raise RunError(
            f"{export} does not answer as the weights of {directory} do: {apart}. Write an export of these: "
            f"tfft export {directory}"
        )
    return _Golden(rows, requests, [answer for answer in found if not isinstance(answer, str)])


def _write(
    name: str,
    form: Format,
    model: Classifier,
    kept: _Golden,
    directory: Path,
    measure: Callable[[Ask, Path], Figures],
) -> tuple[Path, float, float, Figures]:
    """Write a format, prove it, measure it, give it its number.

    Returns:
        Its folder, what `_judge` returns, and what `measure` returns of what asks it and what is loaded.

    Raises:
        RunError: The format cannot express the model, or answers otherwise than it promises.
    """
    folder = directory / _FOLDER
    with tempfile.TemporaryDirectory(dir=folder, prefix="writing-") as temporary:
        # Named as it will be: a warm-up names the model.
        base = Path(temporary) / name
        if isinstance(form, OfText):
            version = _write_of_text(name, form, base, directory)
            ask = functools.partial(clean_process.answers, version)
        elif isinstance(form, OfTokens):
            version = base / "1"
            version.mkdir(parents=True)
            variables = [variable.value for variable in model.whole.weights]
            form.write(model.signatures.others({})["tokens"], variables, version / form.file)
            arguments = [form.runtime, form.file]
            ask = functools.partial(clean_process.answers_by, _RUNTIMES, arguments, version)
        else:
            raise TypeError(form)
        answers = ask([*kept.requests, *kept.requests])
        found, again = answers[: len(kept.requests)], answers[len(kept.requests) :]
        difference, agreement = _judge(form, kept.answers, found, again)
        loaded = version / form.file if isinstance(form, OfTokens) else version
        try:
            figures = measure(form.load(loaded) if isinstance(form, OfTokens) else _load(version), loaded)
        except Exception as error:  # a runtime raises whatever comes
            raise RunError(f"It cannot be measured: {type(error).__name__}: {error}") from error
        if isinstance(form, OfTokens):
            _equip(version, form, model, kept, found)
        (folder / name).mkdir(exist_ok=True)
        return saved_model.publish(version, folder / name), difference, agreement, figures


def _write_of_text(name: str, form: OfText, base: Path, directory: Path) -> Path:
    changed = form.read(functools.partial(finished.restore, directory))
    proof = run_folder.read_json(directory / run_folder.PROOF_ROWS)
    about = finished.about_run(directory) | {"format": name}
    about.pop("figures", None)  # those of the model in float32
    return finished.write(changed, base, proof, about)[0]


def _judge(
    form: Format, expected: Sequence[Mapping[str, Any]], found: _Answers, again: _Answers
) -> tuple[float, float]:
    """Return the largest difference of a number from float32's, and the share of requests with equal texts.

    Where a text differs, as the label of a row that lies on the edge, other outputs than the probabilities
    are of something else, and are not compared.

    Raises:
        RunError: Farther than the format promises, or they differ when asked again.
    """
    largest, alike = 0.0, 0
    for one, other in zip(expected, found, strict=True):
        if isinstance(other, str):
            raise RunError(f"It refuses a golden request: {other}")
        apart = parity.difference([(one, other)])
        alike += not apart.unlike
        if apart.unlike:
            apart = parity.difference([(_probabilities(one), _probabilities(other))])
        if apart.unlike:
            raise RunError("Its answers have other outputs, or other shapes, than those of float32.")
        largest = float(np.maximum(largest, apart.largest))  # not `max`, which passes over NaN
    agreement = alike / len(found)
    if not largest <= form.tolerance:
        raise RunError(
            f"Its numbers differ from float32's by up to {largest:.2e} (allowed {form.tolerance})."
        )
    if agreement < form.agreement:
        raise RunError(
            f"{len(found) - alike} of {len(found)} golden requests get other texts than from float32 "
            f"(allowed {1 - form.agreement:.0%})."
        )
    if unlike := sum(one != other for one, other in zip(found, again, strict=True)):
        raise RunError(f"{unlike} of {len(found)} golden requests are answered otherwise when asked again.")
    return largest, agreement


def _probabilities(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name == "probabilities"}


def _equip(version: Path, form: OfTokens, model: Classifier, kept: _Golden, found: _Answers) -> None:
    """Lay beside a file what a client needs to make its token ids and to read its answers."""
    described = ("task", "inputs", "preparation", "preprocessor", "windows")
    contents = {key: model.description[key] for key in described}
    files = model.preprocessor.tokenizer.files
    for name, content in files.items():
        run_folder.write_bytes(version / name, content)
    run_folder.write_json(version / "tokens.json", contents | {"files": [*files]})
    if model.facts.labels:
        run_folder.write_json(version / "labels.json", [*model.facts.labels])
    lines = [
        json.dumps({"text": row, **request, "outputs": outputs}, ensure_ascii=False)
        for row, request, outputs in zip(
            kept.rows, kept.requests, found, strict=False
        )  # the last is of several
    ]
    run_folder.write_text(version / golden.FILE.name, "".join(f"{line}\n" for line in lines))


def _load(version: Path) -> Ask:
    """Return what asks a SavedModel by token ids."""
    import tensorflow_text  # noqa: F401 - registers the tokenizer's operations

    loaded = tf.saved_model.load(str(version))

    def ask(inputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
        # By `loaded`, whose weights would go with it.
        tensors = {name: tf.constant(array) for name, array in inputs.items()}
        return {name: value.numpy() for name, value in loaded.signatures["tokens"](**tensors).items()}

    return ask


def _versions(formats: Mapping[str, Format]) -> dict[str, str]:
    packages = {"tensorflow": None, "keras": None, "keras-hub": None}
    for form in formats.values():
        if isinstance(form, OfTokens):
            packages |= dict.fromkeys(form.packages.values())
    found = {}
    for name in packages:
        # A module may come by another package than the usual, as that of ONNX Runtime for GPUs.
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _machine() -> str:
    return f"{os.cpu_count()} CPUs of {platform.machine()}, Python {platform.python_version()}"
