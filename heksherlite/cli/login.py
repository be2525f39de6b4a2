"""``heksherlite login``, ``whoami`` and ``logout``: tokens and facts of applications, stored for programs."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from heksherlite.cli.scopes import split_scopes
from heksherlite.cli.secret_option import SecretOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heksherlite.grants.cache import CachedFacts
    from heksherlite.grants.remote.device_code import DeviceLogin
    from heksherlite.grants.remote.discovery import Discovery
    from heksherlite.grants.remote.token_stores import FileTokenStore

_CACHE_FILE: Final = click.option(
    "--cache-file",
    metavar="FILE",
    default=".fakts_cache.json",
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file that CacheGrant reads.",
)

_TOKEN_STORE: Final = click.option(
    "--token-store",
    metavar="DIRECTORY",
    default=None,
    type=click.Path(file_okay=False, path_type=Path),
    help="The directory of the token store, as in FileTokenStore.  [default: that of programs]",
)
_RESPONSE_TIMEOUT: Final = 10.0
"""In seconds."""


@click.command()
@click.argument("url")
@click.option("--identifier", required=True, help="The identifier of the application, as in its manifest.")
@click.option("--app-version", default="1", show_default=True, help="The version of the application.")
@click.option(
    "--scope",
    "scopes",
    metavar="SCOPES",
    multiple=True,
    help="The scopes to request. Separate several by commas, or repeat the option.",
)
@click.option(
    "--claim-token",
    cls=SecretOption,
    prompt="Claim token",
    help="Keep this token of the application, as heksherlite app rotate prints it, instead of asking for approval."
    " No file for CacheGrant is written. Without a value, the command asks for the token, or reads it from the standard"
    " input, because other users of the machine can see the list of processes.",
)
@_CACHE_FILE
@_TOKEN_STORE
@click.option("--hash", "hash_", default="", help="The hash that the program passes to CacheGrant.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=300,
    show_default=True,
    help="How long to wait for the approval, in seconds.",
)
@click.option("--qr", is_flag=True, help="Show the address of the page as a QR code too.")
@click.option("--browser/--no-browser", default=True, help="Open the page in a browser.  [default: browser]")
def login(
    url: str,
    identifier: str,
    app_version: str,
    scopes: Sequence[str],
    claim_token: str | None,
    cache_file: Path,
    token_store: Path | None,
    hash_: str,
    timeout: float,
    qr: bool,
    browser: bool,
) -> None:
    """Keep the token of an application after approval on a page.

    The endpoint at URL shows the page. The token is kept in the token store, where programs with the same identifier
    find it: they start without approval. The facts are stored in a file that only you can read, where CacheGrant finds
    them. A token that is kept already is used, so that nobody has to approve again.
    """
    import anyio
    import segno
    from rich.console import Console

    from heksherlite.errors import GrantError
    from heksherlite.grants.cache import cached_facts, file_error_reason, write_cache
    from heksherlite.grants.grant import LoadRequest, load
    from heksherlite.grants.remote.device_code import DeviceCodeGrant
    from heksherlite.grants.remote.discovery import WellKnownDiscovery
    from heksherlite.grants.remote.messages import Manifest
    from heksherlite.grants.remote.token_stores import FileTokenStore
    from heksherlite.http.urls import shown_url

    console = Console(stderr=True, highlight=False)
    store = FileTokenStore(token_store)
    try:
        discovery = WellKnownDiscovery(url=url)
        manifest = Manifest(identifier=identifier, version=app_version, scopes=tuple(split_scopes(scopes)))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if claim_token is not None:
        _keep(claim_token, identifier, discovery, store)
        click.echo(f"Kept the token of {identifier} in {store.directory}.")
        return
    with console.status("Contacting the endpoint") as status:

        def tell(login: DeviceLogin) -> None:
            console.print(f"Open this page, and approve if it shows the code {login.code}:\n")
            console.print(f"    {login.page}\n", soft_wrap=True, markup=False)
            if qr:
                segno.make(login.page).terminal(out=sys.stderr, compact=True)
            status.update(f"Waiting up to {login.timeout:g} seconds for the approval")

        grant = DeviceCodeGrant(
            manifest=manifest,
            discovery=discovery,
            timeout=timeout,
            open_browser=browser,
            tell=tell,
            token_store=store,
        )
        try:
            facts = anyio.run(load, grant, LoadRequest(force_refresh=True))
            endpoint = anyio.run(discovery.adiscover)
        except GrantError as error:
            raise click.ClickException(str(error)) from error
    stored = replace(
        cached_facts(facts, f"{identifier} {app_version} at {shown_url(url)}", hash_),
        token_key=(endpoint.url("claim"), identifier),
    )
    try:
        write_cache(cache_file.absolute(), stored)
    except (OSError, TypeError, ValueError) as error:
        raise click.ClickException(f"cannot write {cache_file}: {file_error_reason(error)}") from error
    click.echo(f"Stored the facts of {identifier} in {cache_file}: {_groups(stored)}")


def _keep(claim_token: str, identifier: str, discovery: Discovery, store: FileTokenStore) -> None:
    """Keep a token that the endpoint accepts."""
    import anyio

    from heksherlite.errors import GrantError
    from heksherlite.grants.remote.claims import claim_facts, connecting
    from heksherlite.grants.remote.holders import Holder
    from heksherlite.secret import Secret

    token = Secret(claim_token.strip())

    async def check() -> str:
        endpoint = await discovery.adiscover()
        async with connecting(None, _RESPONSE_TIMEOUT)(endpoint) as http:
            await claim_facts(endpoint, http, token, Holder(identifier))
        return endpoint.url("claim")

    try:
        store.set(anyio.run(check), identifier, token)
    except GrantError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"cannot keep the token in {store.directory}: {error.strerror or error}") from error


@click.command()
@_CACHE_FILE
def whoami(cache_file: Path) -> None:
    """Show which application's facts are stored, without values."""
    from heksherlite.http.urls import printable

    cached = _read(cache_file)
    if cached is None:
        raise click.ClickException(f"{cache_file} does not exist; heksherlite login creates it")
    since = datetime.fromtimestamp(cached.created_at, UTC).astimezone()
    click.echo(f"{printable(cached.source) or 'unknown'}\nsince {since:%Y-%m-%d %H:%M:%S %Z}, in {cache_file}")
    click.echo(f"groups: {_groups(cached)}")


@click.command()
@_CACHE_FILE
@_TOKEN_STORE
def logout(cache_file: Path, token_store: Path | None) -> None:
    """Delete the stored facts, and the token that was kept with them."""
    from heksherlite.grants.cache import file_error_reason
    from heksherlite.grants.remote.token_stores import FileTokenStore

    cached = _read(cache_file)
    if cached is None:
        click.echo(f"{cache_file} does not exist.")
        return
    store = FileTokenStore(token_store)
    try:
        if cached.token_key is not None:
            store.delete(*cached.token_key)
        cache_file.unlink()
    except OSError as error:
        raise click.ClickException(f"cannot delete {cache_file}: {file_error_reason(error)}") from error
    click.echo(f"Deleted {cache_file}.")


def _read(cache_file: Path) -> CachedFacts | None:
    """Return the facts in a file, or None if it does not exist.

    Raises:
        click.ClickException: The file is not a usable cache, and may be another program's.
    """
    from heksherlite.grants.cache import file_error_reason, read_cache

    try:
        return read_cache(cache_file.absolute())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{cache_file} has no usable facts: {file_error_reason(error)}") from error


def _groups(cached: CachedFacts) -> str:
    from heksherlite.http.urls import printable

    return ", ".join(map(printable, sorted(cached.facts))) or "none"
