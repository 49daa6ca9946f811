"""`tfft verify`: check an export before it is served."""

from pathlib import Path

import click


@click.command()
@click.argument("export", type=click.Path(path_type=Path))
@click.pass_context
def command(context, export):
    """Check that EXPORT is whole and answers as when it was made.

    EXPORT is a version, or the folder of the versions, of which the newest is checked: its files against
    their hashes, its signatures and operations, its answers to the golden requests, asked twice, and the
    requests that a server warms up with. What answers is a clean process with the operations of TensorFlow
    and TensorFlow Text, as a server has them.

    The exit code is 0 if all is well, 1 if a check failed, 2 if there is nothing to check.

    \b
    Example:
      tfft verify runs/support_intents/20260101-120000/export
    """
    from tfft import tables, verify

    version, checks = verify.run(export)
    click.echo(version)
    click.echo(tables.text(tables.checks(checks)))
    if failed := [check.name for check in checks if not check.is_passed]:
        click.echo(f"Failed: {', '.join(failed)}", err=True)
        context.exit(1)
