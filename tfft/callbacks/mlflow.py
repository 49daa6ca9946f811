"""MLflow: every epoch's values as metrics of an MLflow run."""

from typing import Any

from tfft.callbacks import Fitting, module

RUNS_ON = "the chief"


def build(fitting: Fitting, /, *, experiment: str = "tfft", tracking_uri: str | None = None) -> Any:
    """Log to MLflow, which must be installed.

    Args:
        experiment: Name of the experiment; made if there is none.
        tracking_uri: Server or folder; null for what MLFLOW_TRACKING_URI says.
    """
    import keras

    mlflow = module("mlflow", "mlflow-skinny")

    class MLflow(keras.callbacks.Callback):
        is_open = False

        def on_train_begin(self, logs=None):
            if tracking_uri is not None:
                mlflow.set_tracking_uri(tracking_uri)
            mlflow.set_experiment(experiment)
            mlflow.start_run(run_name=fitting.directory.name)
            self.is_open = True
            mlflow.log_artifact(str(fitting.directory / "config.yaml"))

        def on_epoch_end(self, epoch, logs=None):
            mlflow.log_metrics({name: float(value) for name, value in logs.items()}, step=epoch + 1)

        def close(self):
            if self.is_open:
                mlflow.end_run()

    return MLflow()
