"""SWA: validate, keep and export the plain mean of the weights along the last part of the run.

Source: Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima and Better
Generalization", section 3.2, algorithm 1. https://arxiv.org/abs/1803.05407
"""

from typing import Annotated, Any

from pydantic import Field

from tfft.callbacks import Fitting

RUNS_ON = "every worker"


def build(
    fitting: Fitting,
    /,
    *,
    start: Annotated[float, Field(ge=0, lt=1)] = 0.75,
    every: Annotated[int, Field(ge=1)] | None = None,
) -> Any:
    """Average the weights at even distances over the last part of the run.

    It wants a rate that stays high: `schedule: constant`, or one with `end` well above 0.
    BERT has no batch normalisation, whose statistics the paper has to compute anew.

    Args:
        start: Share of all steps after which averaging begins.
        every: Steps between two of the averaged weights; null for a tenth of that part. (The paper
            has an epoch, in runs of a hundred.)
    """
    from tfft.weight_average import WeightAverage

    total = fitting.total_steps
    first = min(round(start * total), total - 1)
    distance = min(every or max(1, (total - first) // 10), total - first)
    return WeightAverage(lambda n: 1.0 / (1.0 + n), start=first, every=distance)
