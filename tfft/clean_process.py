"""Ask an export in a process of its own that has, like a server, the operations and none of the Python."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfft.errors import RunError

_PROBE = Path(__file__).with_name("reload_probe.py")
_SHOWN = 2000  # characters of an error


def answers(directory: Path, requests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | str]:
    """Return what an export answers to requests, in their order.

    Args:
        directory: Of the SavedModel.
        requests: Each with `signature_name` and `inputs`, as `reload_probe.py` takes them.

    Returns:
        Outputs by their names, as lists of numbers and texts or, of a request that was refused, the
        text of the error.

    Raises:
        RunError: The export cannot be loaded.
    """
    return answers_by(_PROBE, [str(directory.absolute())], directory, requests)


def answers_by(
    program: Path, arguments: Sequence[str], directory: Path, requests: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any] | str]:
    """Return what another program answers to requests, as `answers` does.

    Args:
        program: Python that reads requests as JSON, and writes answers.
        arguments: Of the program.
        directory: Where it runs: that of what it loads.
        requests: As the program takes them.

    Raises:
        RunError: It came to no answers.
    """
    # Given as text and run in the export's own folder, the program sees neither tfft's files as
    # modules nor the user's; what is installed it sees, for the user alone or for all.
    done = subprocess.run(
        [sys.executable, "-E", "-c", program.read_text(encoding="utf-8"), *arguments],
        cwd=directory.absolute(),
        input=json.dumps(requests),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        start_new_session=True,  # Ctrl-C is for the run, which puts itself down in its own time
    )
    if done.returncode:
        raise RunError(f"The export cannot be loaded in a clean process:\n{done.stderr[-_SHOWN:]}")
    return json.loads(done.stdout)
