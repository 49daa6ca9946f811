"""Constant: the peak learning rate to the last step."""

from typing import Any


def factor(progress: Any, /) -> Any:
    """Stay at the peak learning rate.

    Args:
        progress: Share of the steps after the warmup that are done, in [0, 1];
            a number, an array or a tensor.

    Returns:
        The factor on the peak learning rate, of the shape of `progress`.
    """
    return progress * 0.0 + 1.0
