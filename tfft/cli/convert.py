"""`tfft convert`: a run's model in other formats."""

from pathlib import Path

import click

from tfft import plugins


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "names",
    type=click.Choice(plugins.names("formats")),
    multiple=True,
    help="A format; may be repeated. Default: all.",
)
@click.option(
    "--rows",
    type=click.IntRange(min=1),
    default=2000,
    show_default=True,
    help="Rows of the test split, or of validation where there is no test, that are asked at most.",
)
@click.pass_context
def command(context, run, names, rows):
    """Write RUN's model in other formats, and measure each beside the export in float32.

    bfloat16 and int8 are SavedModels with text in, for TensorFlow Serving; litert, litert_int8 and onnx are
    files that take token ids, with what a client needs beside them. They are kept as numbered versions below
    formats/ in the run folder, each only after a process with its runtime alone has given the golden
    answers. The table is in evaluation/formats.md, too.

    The exit code is 0 if all were kept, 1 if one was not.

    \b
    Example:
      tfft convert runs/support_intents/20260101-120000 --format int8 --format onnx
    """
    from tfft import conversion, format_report, tables

    report = conversion.run(run, names, rows=rows)
    click.echo(tables.text(tables.figures(*format_report.cells(report), names=2)))
    for outcome in report.outcomes:
        if outcome.folder:
            click.echo(f"{outcome.name}: {outcome.folder}")
    if failed := [outcome for outcome in report.outcomes if outcome.problem]:
        for outcome in failed:
            click.echo(f"Not kept: {outcome.name}. {outcome.problem}", err=True)
        context.exit(1)
