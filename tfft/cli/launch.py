"""`tfft launch`: fine-tune in several workers on this machine."""

import sys

import click

from tfft.cli import of_a_training, what_to_train


@click.command()
@of_a_training
@click.option(
    "--workers",
    type=click.IntRange(min=2),
    default=2,
    show_default=True,
    help="Processes that train together; they share the processors, and the GPUs if there are any.",
)
def command(config, overrides, resume, workers):
    """Fine-tune the model that CONFIG describes in several workers on this machine.

    Each is a tfft train with a TF_CONFIG of its own, over the loopback
    interface: what differs on a cluster from one process shows here. On the
    GPUs of one machine strategy: mirrored does the same in one process.

    \b
    Examples:
      tfft launch --workers 2 configs/support_intents.yaml
      tfft launch --workers 2 --resume runs/support_intents/20260101-120000
    """
    what_to_train(config, overrides, resume)  # one message of what is wrong, not one for each worker
    from tfft import launch

    arguments = [*([] if config is None else [str(config)]), *(f"--set={each}" for each in overrides)]
    if resume is not None:
        arguments.append(f"--resume={resume}")
    sys.exit(launch.run(["train", *arguments], workers))
