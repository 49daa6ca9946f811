"""Optimizers: each file builds one Keras optimizer, with a learning rate for every variable.

What holds for all of them: every number that matters is handed to Keras, whose own defaults are
not those of the fine-tuning literature. Weight decay is decoupled, weight -= rate * decay *
weight, at the variable's own rate and before the update, also where the source has none.
"""

from typing import Annotated

from pydantic import Field

Decay = Annotated[float, Field(ge=0)]
"""Weight decay per step as a share of the learning rate."""
Beta = Annotated[float, Field(ge=0, lt=1)]
"""Share of a running mean that is kept each step."""
Epsilon = Annotated[float, Field(gt=0)]
"""What keeps a denominator above zero."""
ClipNorm = Annotated[float, Field(gt=0)] | None
"""Highest norm of the gradients of all variables together."""
