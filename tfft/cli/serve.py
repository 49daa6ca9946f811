"""`tfft serve`: answer requests with an export, by TensorFlow Serving or what stands in for it."""

import re
import sys
from pathlib import Path

import click

from tfft.errors import RunError
from tfft.server import tensorflow_serving
from tfft.server.settings import Batching, Limits, Settings

_STAND_IN_ONLY = ("threads", "queue", "max_request_mb", "max_connections", "max_depth")
_PORT = click.IntRange(0, 65535)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _labels(_context, _parameter, values):
    labels = {}
    for value in values:
        label, _, number = value.partition("=")
        if not re.fullmatch(r"[A-Za-z0-9_]+", label) or not re.fullmatch(r"[0-9]{1,18}", number):
            raise click.BadParameter(f"{value}: write it as in stable=3, in letters, digits and _.")
        labels[label] = int(number)
    return labels


def _newest(_context, _parameter, value):
    if value == "all":
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,5}", value):
        raise click.BadParameter(f"{value}: give a number of versions, at least 1, or all.")
    return int(value)


def _name(_context, _parameter, value):
    if not re.fullmatch(r"[^/:\s\"\\%?#]+", value):
        raise click.BadParameter(f"{value!r}: it stands in addresses, as in /v1/models/NAME.")
    return value


@click.command()
@click.argument("export", type=click.Path(path_type=Path))
@click.option(
    "--with",
    "server",
    type=click.Choice(["auto", "model-server", "docker", "stand-in"]),
    default="auto",
    show_default=True,
    help="tensorflow_model_server, its container, or the stand-in; auto takes the first of them there is.",
)
@click.option(
    "--name", default="model", show_default=True, callback=_name, help="Name of the model in requests."
)
@click.option("--rest-port", type=_PORT, default=8501, show_default=True, help="Port of REST.")
@click.option("--grpc-port", type=_PORT, default=8500, show_default=True, help="Port of gRPC.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen at. Another than this machine's own lets anyone in who can reach it.",
)
@click.option(
    "--versions",
    "newest",
    metavar="N|all",
    default="1",
    show_default=True,
    callback=_newest,
    help="How many of the newest versions to serve.",
)
@click.option(
    "--label",
    "labels",
    metavar="LABEL=VERSION",
    multiple=True,
    callback=_labels,
    help="Name of a version in requests, of those that --versions serves. May be repeated.",
)
@click.option(
    "--poll-seconds",
    type=click.FloatRange(0.05),
    default=1.0,
    show_default=True,
    help="Pause between two looks for versions that came or went.",
)
@click.option(
    "--batch-rows",
    type=click.IntRange(1),
    help="Join concurrent requests to batches of at most so many rows. Without it each runs alone.",
)
@click.option(
    "--batch-milliseconds",
    type=click.FloatRange(0),
    default=2.0,
    show_default=True,
    help="How long a batch waits to be filled, with --batch-rows.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0.1),
    default=30.0,
    show_default=True,
    help="Seconds for a request.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="Calls of the model at one time (stand-in only, like all that follow).",
)
@click.option(
    "--queue",
    type=click.IntRange(1),
    default=512,
    show_default=True,
    help="Calls of the model, running or waiting; more are refused with 503.",
)
@click.option(
    "--max-request-mb",
    type=click.FloatRange(0.001),
    default=16.0,
    show_default=True,
    help="Largest request.",
)
@click.option(
    "--max-connections",
    type=click.IntRange(1),
    default=512,
    show_default=True,
    help="HTTP connections, and gRPC calls, at one time.",
)
@click.option(
    "--max-depth",
    type=click.IntRange(4),
    default=64,
    show_default=True,
    help="Lists and objects within one another in JSON.",
)
@click.pass_context
def command(context, export, server, newest, labels, **options):
    """Answer REST and gRPC requests with EXPORT, a folder of numbered versions or one of them.

    New versions are loaded as they appear, and the old one is retired then. SIGTERM
    and Ctrl-C end it with exit code 0 once the requests that are there are answered.

    The stand-in is for development on a machine without TensorFlow Serving: the same
    requests and answers, in Python. Production is TensorFlow Serving.

    \b
    Examples:
      tfft serve runs/mine/export
      tfft serve runs/mine/export --with stand-in --batch-rows 32 --versions all --label stable=3
    """
    if options["rest_port"] == options["grpc_port"] != 0:
        raise click.UsageError("--rest-port and --grpc-port must differ.")
    if options["batch_rows"] is None and _is_given(context, "batch_milliseconds"):
        raise click.UsageError("--batch-milliseconds needs --batch-rows.")
    if not export.is_dir():
        raise RunError(f"{export}: no such folder.")
    rows, wait = options["batch_rows"], options["batch_milliseconds"] / 1000
    batching = None if rows is None else Batching(rows, wait)
    settings = Settings(
        export=export,
        name=options["name"],
        host=options["host"],
        rest_port=options["rest_port"],
        grpc_port=options["grpc_port"],
        newest=newest,
        labels=labels,
        poll_seconds=options["poll_seconds"],
        limits=Limits(
            request_bytes=round(options["max_request_mb"] * 2**20),
            seconds=options["timeout"],
            connections=options["max_connections"],
            depth=options["max_depth"],
            threads=options["threads"],
            queue=options["queue"],
        ),
        batching=batching,
    )
    if server == "auto":
        server = _first_there_is()
    if server == "stand-in":
        _stand_in(settings)
        return
    if given := [f"--{name.replace('_', '-')}" for name in _STAND_IN_ONLY if _is_given(context, name)]:
        raise click.UsageError(f"{', '.join(given)}: only the stand-in has it; add --with stand-in.")
    if 0 in (settings.rest_port, settings.grpc_port):
        raise click.UsageError("TensorFlow Serving takes no free port by itself: give a number above 0.")
    if server == "model-server":
        if not tensorflow_serving.has_program():
            raise RunError(f"{tensorflow_serving.PROGRAM} is not on the PATH.")
        if _is_given(context, "host"):
            raise click.UsageError(
                f"--host: {tensorflow_serving.PROGRAM} listens everywhere; add --with docker or stand-in."
            )
        click.echo(f"Serving with {tensorflow_serving.PROGRAM}.", err=True)
        click.echo("Warning: it listens at all addresses of this machine.", err=True)
        sys.exit(tensorflow_serving.run_program(settings))
    if not tensorflow_serving.has_docker():
        raise RunError("No Docker daemon answers: `docker info` fails.")
    click.echo(f"Serving with the container {tensorflow_serving.image()}.", err=True)
    _warn(settings.host)
    sys.exit(tensorflow_serving.run_container(settings))


def _first_there_is():
    if tensorflow_serving.has_program():
        return "model-server"
    return "docker" if tensorflow_serving.has_docker() else "stand-in"


def _stand_in(settings):
    click.echo(
        "Serving with tfft's stand-in, for development. Production is TensorFlow Serving, which answers the "
        "same requests.",
        err=True,
    )
    _warn(settings.host)
    try:
        from tfft.server import stand_in
    except ModuleNotFoundError as error:
        raise RunError(f"The stand-in needs {error.name}: pip install 'tfft[serve]'.") from error

    def started(rest_port, grpc_port):
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        click.echo(f"REST: http://{host}:{rest_port}/v1/models/{settings.name}")
        click.echo(f"gRPC: {host}:{grpc_port}")

    stand_in.run(settings, started)


def _warn(host):
    if host not in _LOOPBACK:
        click.echo(
            f"Warning: at {host} anyone who can reach this machine may ask the model; there is neither a "
            "password nor encryption.",
            err=True,
        )


def _is_given(context, name):
    return context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
