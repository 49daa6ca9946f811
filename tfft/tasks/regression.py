"""A number for one text, or for two."""

from typing import Any

from tfft.tasks import Facts, Outputs, Report, Task, undecided


def build() -> Task:
    """A number for each row. It is learned in units of the training rows' standard deviation from their mean.

    Returns:
        A task whose answer is `score` (float32 `[N]`), in the units of the data.
    """
    return Task(
        columns=("text", "label"),
        kind="number",
        loss="mean_squared_error",
        monitor="val_rmse",
        collect=_collect,
        encode=_encode,
        outputs=_outputs,
        check=undecided("regression"),
        tune=lambda *_: (None, ""),
        report=_report,
        judge=_judge,
    )


def _collect(column: Any) -> Facts:
    from tfft import numbers

    mean, scale = numbers.collect(column)
    return Facts(mean=mean, scale=scale)


def _encode(column: Any, facts: Facts, where: str) -> Any:
    from tfft import numbers

    return numbers.encode(column, facts.mean, facts.scale, where)


def _outputs(facts: Facts, decision: Any) -> Outputs:
    import keras

    def score(logits: Any) -> Any:
        return logits[:, 0] * facts.scale + facts.mean

    class Rmse(keras.metrics.RootMeanSquaredError):
        """Root of the mean squared error, in the units of the data."""

        def result(self):
            return facts.scale * super().result()

    return Outputs(
        size=1,
        loss=keras.losses.MeanSquaredError(),
        metrics=lambda: [Rmse(name="rmse")],
        modes={"rmse": "min", "loss": "min"},
        answer=lambda logits: {"score": score(logits)},
        of_examples={"regress": lambda logits: {"outputs": score(logits)}},
    )


def _judge(answers: Any, targets: Any, facts: Facts) -> tuple[str, float]:
    true = (target * facts.scale + facts.mean for target in targets.tolist())
    apart = [abs(given - number) for given, number in zip(answers["score"], true, strict=True)]
    return "mae", sum(apart) / len(apart)


def _report(logits: Any, targets: Any, facts: Facts, decision: Any, texts: Any, title: str) -> Report:
    from tfft import evaluation_of_numbers

    predicted, true = (values * facts.scale + facts.mean for values in (logits[:, 0], targets))
    return evaluation_of_numbers.report(predicted, true, texts, title)
