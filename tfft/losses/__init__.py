"""Losses: each file compares logits with targets, row by row.

A loss names the kind of target that it is a loss `OF`, as a task does: `label`, ids int32
`[N]` by softmax; `labels`, 0 or 1 float32 `[N, labels]`; `rank`, ids int32 `[N]` against a
logit for each step of the order; `number`, float32 `[N]` against one logit.
"""

from collections.abc import Callable
from typing import Any

RowLoss = Callable[[Any, Any], Any]
"""Targets, whose first dimension is `[N]`, and logits, float32 `[N, …]`, to losses, float32 `[N]`."""
