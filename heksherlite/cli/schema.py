"""``heksherlite schema``: show the JSON Schema of a setting, for editors."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import click

from heksherlite.cli.source import credential_options

_ANSWERED: Final = frozenset({200, 401, 403, 404})


@click.command()
@click.argument("name")
@click.option("--url", metavar="URL", required=True, help="The URL of the service.")
@credential_options
def schema(*, name: str, url: str, token: str | None, headers: Sequence[str]) -> None:
    """Show the JSON Schema of the values of a setting.

    It contains the type of the setting and the schema that the program declared. Editors and validators understand it.
    """
    import anyio
    import orjson

    from heksherlite.cli.source import ask, transport_to
    from heksherlite.engine.messages import Request, Response

    transport = transport_to(url, token, headers)
    request = Request("GET", f"/api/v1/settings/{quote(name, safe='')}/schema", accept=_ANSWERED)

    async def get() -> Response:
        try:
            (response,) = await ask(transport, [request])
        finally:
            await transport.aclose()
        return response

    response = anyio.run(get)
    if response.status != 200:
        reason = response.content[:500].decode(errors="replace")
        raise click.ClickException(f"{transport} answers with status {response.status}: {reason}")
    try:
        shown = orjson.loads(response.content)
    except orjson.JSONDecodeError as error:
        raise click.ClickException(f"{transport} does not answer with JSON: {error}") from error
    click.echo(orjson.dumps(shown, option=orjson.OPT_INDENT_2))
