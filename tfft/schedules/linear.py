"""Linear: a straight line from the peak learning rate down, BERT's own schedule.

Source: Devlin et al. 2019, "BERT", appendix A.2. https://arxiv.org/abs/1810.04805
"""

from typing import Annotated, Any

from pydantic import Field


def factor(progress: Any, /, *, end: Annotated[float, Field(ge=0, le=1)] = 0.0) -> Any:
    """Fall in a straight line from the peak learning rate.

    Args:
        progress: Share of the steps after the warmup that are done, in [0, 1];
            a number, an array or a tensor.
        end: Factor on the peak that is reached after the last step.

    Returns:
        The factor on the peak learning rate, of the shape of `progress`.
    """
    return 1.0 - (1.0 - end) * progress
