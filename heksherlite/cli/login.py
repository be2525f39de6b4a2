"""``heksherlite login``, ``whoami`` and ``logout``: facts that a person approves, kept for programs."""

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import anyio
import click
import segno
from rich.console import Console

from heksherlite.errors import GrantError
from heksherlite.grants.cache import DEFAULT_FILE, CachedFacts, file_error_reason, read_cache, write_cache
from heksherlite.grants.grant import LoadRequest, load
from heksherlite.grants.remote.device_code import DeviceCodeGrant, DeviceLogin
from heksherlite.grants.remote.discovery import WellKnownDiscovery
from heksherlite.grants.remote.messages import Manifest
from heksherlite.http.urls import printable, shown_url

_CACHE_FILE: Final = click.option(
    "--cache-file",
    metavar="FILE",
    default=DEFAULT_FILE,
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file that programs read with CacheGrant.",
)


@click.command()
@click.argument("url")
@click.option("--identifier", required=True, help="The application that asks, as in its manifest.")
@click.option("--app-version", default="1", show_default=True, help="Its version.")
@click.option("--scope", "scopes", multiple=True, help="What it wants to be allowed; may be given several times.")
@_CACHE_FILE
@click.option("--hash", "hash_", default="", help="The hash that the program gives to CacheGrant.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=300,
    show_default=True,
    help="Seconds until the approval has to be there.",
)
@click.option("--qr", is_flag=True, help="Show the page's address as a QR code too.")
@click.option("--browser/--no-browser", default=True, help="Open the page in a browser.  [default: browser]")
def login(
    url: str,
    identifier: str,
    app_version: str,
    scopes: Sequence[str],
    cache_file: Path,
    hash_: str,
    timeout: float,
    qr: bool,
    browser: bool,
) -> None:
    """Get the facts of an application from the endpoint at URL, once you approved that on its page.

    They are kept in a file that only you may read, where programs find them.
    """
    console = Console(stderr=True, highlight=False)
    try:
        discovery = WellKnownDiscovery(url=url)
        manifest = Manifest(identifier=identifier, version=app_version, scopes=tuple(scopes))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    with console.status("asking the endpoint") as status:

        def tell(login: DeviceLogin) -> None:
            console.print(f"Open this page, and approve it if it shows the code {login.code}:\n")
            console.print(f"    {login.page}\n", soft_wrap=True, markup=False)
            if qr:
                segno.make(login.page).terminal(out=sys.stderr, compact=True)
            status.update(f"waiting for your approval, for {login.timeout:g} seconds")

        grant = DeviceCodeGrant(
            manifest=manifest, discovery=discovery, timeout=timeout, open_browser=browser, tell=tell
        )
        try:
            facts = anyio.run(load, grant, LoadRequest(force_refresh=True))
        except GrantError as error:
            raise click.ClickException(str(error)) from error
    kept = CachedFacts(facts, hash_, time.time(), f"{identifier} {app_version} at {shown_url(url)}")
    try:
        write_cache(cache_file.absolute(), kept)
    except (OSError, TypeError, ValueError) as error:
        raise click.ClickException(f"cannot write {cache_file}: {file_error_reason(error)}") from error
    click.echo(f"The facts of {identifier} are in {cache_file}: {_groups(kept)}")


@click.command()
@_CACHE_FILE
def whoami(cache_file: Path) -> None:
    """Show whose facts are kept, since when, and which groups there are; no values."""
    cached = _read(cache_file)
    if cached is None:
        raise click.ClickException(f"there is no {cache_file}: see heksherlite login")
    since = datetime.fromtimestamp(cached.created_at, UTC).astimezone()
    click.echo(f"{printable(cached.source) or 'unknown'}\nsince {since:%Y-%m-%d %H:%M:%S %Z}, in {cache_file}")
    click.echo(f"groups: {_groups(cached)}")


@click.command()
@_CACHE_FILE
def logout(cache_file: Path) -> None:
    """Remove the facts that are kept."""
    if _read(cache_file) is None:
        click.echo(f"There is no {cache_file}.")
        return
    try:
        cache_file.unlink()
    except OSError as error:
        raise click.ClickException(f"cannot remove {cache_file}: {file_error_reason(error)}") from error
    click.echo(f"Removed {cache_file}.")


def _read(cache_file: Path) -> CachedFacts | None:
    """Return what a file has; ``None`` if there is none.

    Raises:
        click.ClickException: If it is something else, which is not ours to show or to remove.
    """
    try:
        return read_cache(cache_file.absolute())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{cache_file} has no facts that can be used: {file_error_reason(error)}") from error


def _groups(cached: CachedFacts) -> str:
    return ", ".join(map(printable, sorted(cached.facts))) or "none"
