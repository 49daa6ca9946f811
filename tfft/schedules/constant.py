"""Constant: the peak learning rate to the last step."""

from tfft.schedules import Course


def build() -> Course:
    """Stay at the peak learning rate."""
    return Course(lambda progress: progress * 0.0 + 1.0)
