"""`tfft schema`: the config's schema for editors."""

import json

import click


@click.command()
def command():
    """Print the JSON Schema of the config, for completion and checks in an editor.

    \b
    Example:
      tfft schema > tfft.schema.json
    """
    from tfft.config import Config

    click.echo(json.dumps(Config.model_json_schema(), indent=2, ensure_ascii=False))
