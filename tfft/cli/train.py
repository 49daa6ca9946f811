"""`tfft train`: fine-tune the model that one config file describes."""

import click

from tfft.cli import of_a_training, what_to_train


@click.command()
@of_a_training
def command(config, overrides, resume):
    """Fine-tune the model that CONFIG describes, measure it and export it.

    All that comes of it goes to run.directory, or to a new folder below runs/.
    The folder of the exported model is printed last.

    A training that was cut off, by Ctrl-C, by SIGTERM, which ends with exit code
    143, or by anything else, goes on from its last save with --resume, and comes
    to the same weights, bit by bit, as if it had never stopped.

    Where TF_CONFIG or Slurm names several workers, it is one of them; the
    chief alone writes, and prints.

    \b
    Examples:
      tfft train configs/support_intents.yaml --set optimizer.learning_rate=3e-5
      tfft train --resume runs/support_intents/20260101-120000
    """
    settings = what_to_train(config, overrides, resume)
    from tfft import run  # TensorFlow takes seconds to import; a typing error need not wait.

    if resume is not None:
        made = run.resume(resume, settings)
    elif settings is not None:
        made = run.train(settings, config.stem)
    if made is not None:  # a worker that is not the chief has nothing to show
        click.echo(made.export)
