"""Check that an export is what it was when it was made, and still answers as it did.

All that is compared with lies in the export: the manifest, the golden requests, the
requests that a server warms up with. What answers is a clean process, as when it was made,
or a server that has the export.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tensorflow as tf
from rich.console import Console
from rich.progress import track
from tensorflow.core.framework.types_pb2 import DataType

from tfft import clean_process, golden, manifest, operations, parity, saved_model, warmup
from tfft.errors import RunError
from tfft.finished import Labelled
from tfft.serving import Client, Model, ServingError, Signature

_NAMED = 5  # of many, in a line
_ROWS = 32  # in a request, where many are asked
_SHARES = ("accuracy", "subset_accuracy")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What it is.
        is_passed: Whether all is well.
        found: What was found, in a line.
    """

    name: str
    is_passed: bool
    found: str


def run(where: Path, labelled: Labelled | None = None) -> tuple[Path, list[Check]]:
    """Return the version that was checked, and what was found, each check whether or not others passed.

    Args:
        where: Folder of a version, or of versions, of which the newest is taken.
        labelled: Rows on which its figures were reported; None measures nothing again.

    Raises:
        RunError: There is no export, or no manifest that can be read, and so nothing to compare with.
    """
    version = _newest(where)
    kept = manifest.read(version)
    return version, [
        _guarded("files", lambda: _files(kept["files"], manifest.files(version))),
        _guarded("signatures", lambda: _signatures(kept["signatures"], manifest.graph(version))),
        _guarded("operations", lambda: _operations(manifest.graph(version).graph_def)),
        *_replayed(version),
        *_measured(kept, labelled, functools.partial(clean_process.answers, version)),
    ]


def live(
    where: Path, client: Client, model: Model, labelled: Labelled | None = None
) -> tuple[Path, list[Check]]:
    """Return the version that a server was compared with, and what was found.

    Args:
        where: Folder of a version, or of versions, of which the newest is taken.
        client: Asks the server.
        model: Its model. Where it names neither a version nor a label, the server is asked for the number
            of the export's folder.
        labelled: As in `run`.

    Raises:
        RunError: There is no export, or nothing to compare with.
        ServingError: The server cannot be reached, or has no such model or version.
    """
    version = _newest(where)
    if model.version is None and not model.label and version.name.isdecimal():
        model = replace(model, version=int(version.name))
    about = manifest.read(version)
    kept = about["signatures"]
    pairs = golden.read(version)
    requests, expected = [request for request, _ in pairs], [outputs for _, outputs in pairs]
    client.signature(model)  # who is not there at all fails no check
    served, problems = {}, []
    for name in kept:
        try:
            served[name] = client.signature(replace(model, signature=name))
        except ServingError as error:
            problems.append(str(error))
    problems += [f"{n} takes or gives other tensors" for n in served if served[n] != _as_served(kept[n])]

    def ask(requests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | str]:
        shown = track(requests, "asking", console=Console(stderr=True), transient=True)
        return [_asked(client, model, served, request) for request in shown]

    first, second = ask(requests), ask(requests)
    return version, [
        Check("signatures", not problems, _listed(problems) or ", ".join(kept)),
        *_compared(expected, first, second),
        *_measured(about, labelled, ask),
    ]


def _newest(where: Path) -> Path:
    version = saved_model.newest(where)
    if version is None:
        raise RunError(f"{where} is no export and has none. Name a folder that tfft export printed.")
    return version


def _as_served(kept: Mapping[str, Any]) -> Signature:
    """Return a signature of the manifest as a server tells it."""

    def types(tensors: Mapping[str, Any]) -> dict[str, str]:
        kinds = {name: tf.dtypes.as_dtype(tensor["dtype"]) for name, tensor in sorted(tensors.items())}
        return {name: DataType.Name(kind.as_datatype_enum) for name, kind in kinds.items()}

    return Signature(types(kept["inputs"]), types(kept["outputs"]))


def _asked(
    client: Client, model: Model, served: Mapping[str, Signature], request: Mapping[str, Any]
) -> dict[str, Any] | str:
    """Return what a server answers to a golden request or, where it refuses, the error."""
    name = request["signature_name"]
    if name not in served:
        return f"There is no signature {name}"
    try:
        return client.answer(replace(model, signature=name), served[name], request["inputs"])
    except ServingError as error:
        return str(error)


def _guarded(name: str, look: Callable[[], tuple[bool, str]]) -> Check:
    """Return a check; a file that cannot be read is what it finds."""
    try:
        return Check(name, *look())
    except RunError as error:
        return Check(name, False, str(error))


def _files(kept: Mapping[str, Mapping], found: Mapping[str, Mapping]) -> tuple[bool, str]:
    problems = [f"{path} is missing" for path in kept if path not in found]
    problems += [f"{path} is not in the manifest" for path in found if path not in kept]
    for path in kept.keys() & found.keys():
        if found[path] != kept[path]:
            sizes = (part[path]["bytes"] for part in (found, kept))
            problems.append("{} has changed ({:,} bytes, {:,} when it was made)".format(path, *sizes))
    size = sum(file["bytes"] for file in found.values())
    return not problems, _listed(sorted(problems)) or f"{len(kept)} files, {size:,} bytes, hashes as kept"


def _signatures(kept: Mapping[str, Any], graph: Any) -> tuple[bool, str]:
    found = manifest.signatures(graph)
    problems = [f"{name} is missing" for name in kept if name not in found]
    problems += [f"{name} is not in the manifest" for name in found if name not in kept]
    problems += [
        f"{name} takes or gives other tensors" for name in kept if found.get(name, kept[name]) != kept[name]
    ]
    return not problems, _listed(problems) or ", ".join(kept)


def _operations(graph: Any) -> tuple[bool, str]:
    strange = operations.foreign(graph)
    told = f"neither TensorFlow nor TensorFlow Text has {', '.join(strange)}"
    return not strange, told if strange else "all of TensorFlow and TensorFlow Text"


def _replayed(version: Path) -> list[Check]:
    """Ask the golden requests, the same again, and those of the warm-up, in one clean process."""
    try:
        pairs, warming = golden.read(version), warmup.read(version)
        requests = [request for request, _ in pairs]
        answers = clean_process.answers(version, [*requests, *requests, *warming])
    except RunError as error:
        return [Check("answers", False, str(error))]
    count = len(requests)
    first, second, warm = answers[:count], answers[count : 2 * count], answers[2 * count :]
    refused = [answer for answer in warm if isinstance(answer, str)]
    return [
        *_compared([outputs for _, outputs in pairs], first, second),
        Check("warm-up", not refused, _listed(refused) or f"{len(warm)} requests are answered"),
    ]


def _compared(expected: Sequence[Mapping], first: Sequence, second: Sequence) -> list[Check]:
    """Compare answers with the golden ones, and with those to the same requests asked again."""
    apart = parity.difference(zip(expected, first, strict=True))
    within = f"{len(first)} requests, numbers within {apart.largest:.1e}"
    unlike = sum(one != other for one, other in zip(first, second, strict=True))
    again = f"{unlike} of {len(first)} requests are answered otherwise when asked again"
    return [
        Check("answers", apart.is_small, within if apart.is_small else str(apart)),
        Check("determinism", not unlike, again if unlike else "asked again, equal bit for bit"),
    ]


def _measured(
    kept: Mapping[str, Any],
    labelled: Labelled | None,
    ask: Callable[[Sequence[Mapping[str, Any]]], Sequence[dict[str, Any] | str]],
) -> list[Check]:
    """Measure what answers on the rows that the reported figures are of."""
    if labelled is None:
        return []
    split, judge, name = labelled.split, labelled.judge, "figure"
    if kept.get("data", {}).get(split, {}).get("sha256") != labelled.sha256:
        return [Check(name, False, f"the {split} rows are not those that the export was measured on")]
    if not (figures := kept.get("figures", {}).get(split)):
        return [Check(name, False, f"the export reports no figures of the {split} rows")]
    count = len(next(iter(labelled.columns.values())))
    requests = [
        {
            "signature_name": "serving_default",
            "inputs": {key: texts[start : start + _ROWS] for key, texts in labelled.columns.items()},
        }
        for start in range(0, count, _ROWS)
    ]
    try:
        answers = ask(requests)
    except RunError as error:
        return [Check(name, False, str(error))]
    if refused := [answer for answer in answers if isinstance(answer, str)]:
        return [Check(name, False, _listed(refused))]
    given = [answer for answer in answers if not isinstance(answer, str)]
    outputs = {key: [row for answer in given for row in answer[key]] for key in given[0]}
    name, value = judge(outputs)
    reported = figures[name]
    # An answer between two labels may fall otherwise in another batch; of ten thousand, one.
    allowed = (max(1, count // 10_000) + 0.5) / count if name in _SHARES else 1e-4 * abs(reported) + 1e-6
    is_right = abs(value - reported) <= allowed
    return [Check(name, is_right, f"{value:.4f} on {count} {split} rows, {reported:.4f} reported")]


def _listed(problems: Sequence[str]) -> str:
    more = f"; and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
    return "; ".join(problems[:_NAMED]) + more
