"""Chain-thaw: the head alone, then each group of layers alone from the input upward, then all.

Source: Felbo et al. 2017, "Using millions of emoji occurrences to learn any-domain
representations for detecting sentiment, emotion and sarcasm", section 3.3.
https://arxiv.org/abs/1708.00524
"""

from collections.abc import Sequence

from tfft.unfreezing import Length, Stage


def build(groups: Sequence[str], learning_rate: float, /, *, each: Length = "1 epoch") -> list[Stage]:
    """Train one group of layers at a time; one schedule runs through the whole.

    Args:
        each: How long each stage lasts; the last, in which all trains, has the rest of the run.
    """
    alone = [groups[-1], *groups[:-1]]
    return [*(Stage(each, [name for name in groups if name != one]) for one in alone), Stage(None)]
