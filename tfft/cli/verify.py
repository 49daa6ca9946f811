"""`tfft verify`: check an export before it is served, or a server that serves it."""

from functools import partial
from pathlib import Path

import click


@click.command()
@click.argument("export", type=click.Path(path_type=Path))
@click.option(
    "--run",
    type=click.Path(path_type=Path),
    help="The run that EXPORT came from: measure its test rows again, and compare with what was reported.",
)
@click.option("--url", help="Check the server at this URL, over REST, instead of the files.")
@click.option("--grpc", metavar="HOST:PORT", help="Check the server at this address, over gRPC, instead.")
@click.option("--name", default="model", show_default=True, help="Name of the server's model.")
@click.option("--version", type=click.IntRange(0), help="Its version; by default the number of EXPORT.")
@click.option("--label", help="Label of its version, such as stable, instead of a number.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds to wait for an answer of the server.",
)
@click.pass_context
def command(context, export, run, url, grpc, name, version, label, timeout):
    """Check that EXPORT is whole and answers as when it was made.

    EXPORT is a version, or the folder of the versions, of which the newest is checked: its files against
    their hashes, its signatures and operations, its answers to the golden requests, asked twice, and the
    requests that a server warms up with. What answers is a clean process with the operations of TensorFlow
    and TensorFlow Text, as a server has them.

    With --url or --grpc, or both, a server is asked: for the signatures, and twice for the golden requests.
    With --run the test rows of the run, or its validation rows where it has no others, are answered, too.

    The exit code is 0 if all is well, 1 if a check failed, 2 if there is nothing to check.

    \b
    Examples:
      tfft verify runs/support_intents/20260101-120000/export
      tfft verify runs/support_intents/20260101-120000/export --url http://127.0.0.1:8501
    """
    if version is not None and label:
        raise click.UsageError("--version and --label exclude each other.")
    from tfft import finished, tables, verify
    from tfft.serving import Client, Grpc, Model, Rest

    model = Model(name, version, label)
    clients: dict[str, Client] = {}
    if url:
        clients[" over REST"] = Rest(url, seconds=timeout)
    if grpc:
        clients[" over gRPC"] = Grpc(grpc, seconds=timeout)
    labelled = finished.labelled(run) if run else None
    looks = {way: partial(verify.live, export, client, model, labelled) for way, client in clients.items()}
    failed = []
    for way, look in (looks or {"": partial(verify.run, export, labelled)}).items():
        checked, checks = look()
        click.echo(f"{checked}{way}")
        click.echo(tables.text(tables.checks(checks)))
        failed += [f"{check.name}{way}" for check in checks if not check.is_passed]
    if failed:
        click.echo(f"Failed: {', '.join(failed)}", err=True)
        context.exit(1)
