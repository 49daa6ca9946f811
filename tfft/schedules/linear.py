"""Linear: a straight line from the peak learning rate down, BERT's own schedule.

Source: Devlin et al. 2019, "BERT", appendix A.2. https://arxiv.org/abs/1810.04805
"""

from typing import Annotated

from pydantic import Field

from tfft.schedules import Course


def build(*, end: Annotated[float, Field(ge=0, le=1)] = 0.0) -> Course:
    """Fall in a straight line from the peak learning rate.

    Args:
        end: Factor on the peak that is reached after the last step.
    """
    return Course(lambda progress: 1.0 - (1.0 - end) * progress)
