"""A request as a call of a signature, whether it came as JSON or as a protocol buffer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """What to run, and what to make of the outputs.

    Attributes:
        signature: Name of the signature.
        inputs: A checked array for each of its inputs.
        answer: From its outputs to the answer; raises RequestError where they are not what the method
            that was asked for gives.
    """

    signature: str
    inputs: Mapping[str, np.ndarray]
    answer: Callable[[Mapping[str, np.ndarray]], Answer]
