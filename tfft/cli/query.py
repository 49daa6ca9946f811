"""`tfft query`: ask a server, TensorFlow Serving or what speaks like it."""

import json

import click


@click.command()
@click.argument("url")
@click.argument("texts", metavar="TEXT...", nargs=-1, required=True)
@click.option("--grpc", is_flag=True, help="Ask over gRPC; URL is host:port then. Without it: REST.")
@click.option("--name", default="model", show_default=True, help="Name of the model.")
@click.option("--signature", default="serving_default", show_default=True, help="What to ask of the model.")
@click.option("--version", type=click.IntRange(0), help="Version to ask; by default the server chooses.")
@click.option("--label", help="Label of the version to ask, such as stable.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds to wait for the answer.",
)
def command(url, texts, grpc, name, signature, version, label, timeout):
    """Ask the server at URL for each TEXT, and print a line of JSON for each.

    Where the model takes one text, TEXT is it. Else TEXT is a JSON object with a
    value for each of its inputs.

    \b
    Examples:
      tfft query http://127.0.0.1:8501 "Where is my parcel?" "Thank you!"
      tfft query 127.0.0.1:8500 --grpc --label stable "Where is my parcel?"
      tfft query http://127.0.0.1:8501 '{"text_a": "Is it there?", "text_b": "It came today."}'
    """
    if version is not None and label:
        raise click.UsageError("--version and --label exclude each other.")
    from tfft.serving import Grpc, Model, Rest

    client = Grpc(url, seconds=timeout) if grpc else Rest(url, seconds=timeout)
    model = Model(name, version, label, signature)
    known = client.signature(model)
    rows = [_row(text, known) for text in texts]
    for row, answer in zip(rows, client.predict(model, known, rows), strict=True):
        click.echo(json.dumps({**row, **answer}, ensure_ascii=False))


def _row(text, signature):
    """Return the value of each input."""
    if signature.text is not None:
        return {signature.text: text}
    try:
        row = json.loads(text)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        names = ", ".join(f'"{name}": …' for name in sorted(signature.inputs))
        raise click.UsageError(f"TEXT {text!r}: the model takes an object, as in '{{{names}}}'.")
    return row
