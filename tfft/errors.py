"""The errors that a user can put right.

Each one says what was read, what was expected and what to do next. The command
line prints them without a traceback and ends with exit code 2; any other
exception is a defect of tfft.
"""

from collections.abc import Sequence


class TfftError(Exception):
    """Base of all errors that the user, not the developer, can put right."""

    exit_code = 2


class SettingError(TfftError):
    """One setting has a value that cannot work.

    Attributes:
        key: Dotted path of the setting, as in `optimizer.learning_rate`.
        value: What was given.
        problem: What was expected, worded to follow the key.
        fix: What to do next, a whole sentence.
    """

    def __init__(self, key: str, value: object, problem: str, *, fix: str) -> None:
        self.key, self.value, self.problem, self.fix = key, value, problem, fix
        super().__init__(f"{key}: {problem}, got {_shorten(value)}. {fix}")


class ConfigError(TfftError):
    """A config file is wrong in one or more places, all of which are named.

    Attributes:
        path: The file.
        problems: One line a problem, each with its dotted key.
    """

    def __init__(self, path: object, problems: Sequence[str]) -> None:
        self.path, self.problems = path, tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join([f"{path}: {count}", *(f"  {line}" for line in problems)]))


class DataError(TfftError):
    """A data file, or rows of it, cannot be used."""


class PresetError(TfftError):
    """Pretrained weights cannot be found, fetched, trusted or read."""


class RunError(TfftError):
    """A run folder or an export is missing, incomplete or in the way."""


class TrainingError(TfftError):
    """The training went wrong, though all that was given could be read."""

    exit_code = 1


class LostWorkerError(TfftError):
    """Another worker is gone, and with it what this one was to do; both can go on from the last save."""

    exit_code = 143  # as after SIGTERM, by which a cluster tells what it may start again


def _shorten(value: object, length: int = 120) -> str:
    text = repr(value)
    return text if len(text) <= length else text[: length - 1] + "…"
