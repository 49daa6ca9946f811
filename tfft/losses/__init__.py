"""Losses: each file compares logits with label ids, row by row."""

from collections.abc import Callable
from typing import Any

RowLoss = Callable[[Any, Any], Any]
"""Label ids, int32 `[N]`, and logits, float32 `[N, labels]`, to losses, float32 `[N]`."""
