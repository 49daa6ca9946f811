"""Requests with the answers that the model gave to them, which whoever has the export can ask again.

One JSON object a line. `signature_name` and `inputs` are the body of a POST to the REST interface of
TensorFlow Serving, `outputs` what comes back: one row a request, so that no answer depends on another row.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tfft.errors import RunError

FILE = Path("assets.extra") / "golden_requests.jsonl"


def write(version: Path, answered: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> None:
    """Write requests, each with its outputs, into the folder of an export."""
    lines = [json.dumps({**request, "outputs": outputs}, ensure_ascii=False) for request, outputs in answered]
    (version / FILE).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read(version: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the requests of an export, each with its outputs.

    Raises:
        RunError: The file is missing or damaged.
    """
    path = version / FILE
    try:
        # Not splitlines, which also parts a line at characters that a text may have.
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        return [({key: line[key] for key in ("signature_name", "inputs")}, line["outputs"]) for line in lines]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path} cannot be read: {type(error).__name__}: {error}. Export the run again."
        ) from error
