"""Formats: each file is one that a finished run's model can be turned into besides its export in float32."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfft.errors import RunError

Ask = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Named arrays of a request to the named arrays of its answer."""


@dataclass(frozen=True)
class Format:
    """What all formats tell of themselves.

    Attributes:
        tolerance: Largest difference of a number from the float32 export that passes, relative to the
            number where that is above 1.
        agreement: Least share of the golden requests whose texts, as the label, must be those of the
            float32 export.
        lost: What its user does without, whole sentences.
    """

    tolerance: float
    agreement: float
    lost: str


@dataclass(frozen=True)
class OfText(Format):
    """A SavedModel with the signatures of the export, text in, which TensorFlow Serving answers with.

    Attributes:
        read: From the function that reads the run's model, in float32, to the model in this format.
    """

    read: Callable[[Callable[[], Any]], Any]


@dataclass(frozen=True)
class OfTokens(Format):
    """A file for a runtime that has no tokenizer: it takes and gives what the signature `tokens` does.

    Attributes:
        file: Its name.
        runtime: The function of `_runtimes.py` that asks it.
        packages: Modules that writing and asking need, by the packages that hold them.
        write: The function of the signature `tokens`, the variables that it reads, and the path of the
            file. Raises RunError where the model has something that the format cannot express.
        load: The path of the file to what asks it.
    """

    file: str
    runtime: str
    packages: Mapping[str, str]
    write: Callable[[Any, list[Any], Path], None]
    load: Callable[[Path], Ask]


_LARGEST = 2**31 - 1  # bytes of a protocol buffer, as of a FlatBuffer


def check_size(variables: Sequence[Any]) -> None:
    """Refuse a model that is larger than one file of these formats may be.

    Raises:
        RunError: It is.
    """
    size = sum(variable.dtype.size * variable.shape.num_elements() for variable in variables)
    if size > _LARGEST:
        raise RunError(f"The model has {size:,} bytes of weights; a file of this format holds {_LARGEST:,}.")
