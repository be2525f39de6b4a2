"""``heksherlite schema``: show the JSON Schema of a setting, for editors."""

from __future__ import annotations

import click
import orjson

from heksherlite.cli.arguments import name_argument
from heksherlite.cli.services import Service, service_options


@click.command()
@name_argument
@service_options
def schema(*, name: str, service: Service) -> None:
    """Show the JSON Schema of the values of a setting.

    It contains the type of the setting and the schema that the program declared. Editors and validators understand it.
    """
    with service.connect() as admin:
        shown = admin.schema(name)
    click.echo(orjson.dumps(shown, option=orjson.OPT_INDENT_2))
