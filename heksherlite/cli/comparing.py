"""``heksherlite diff``: what differs between two services, two times, or a service and files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from heksherlite.cli.arguments import matches, parse_moment
from heksherlite.cli.completion import complete_settings
from heksherlite.cli.output import FORMATS, as_text, output_option, plain, print_rows
from heksherlite.cli.profiles import complete_profiles
from heksherlite.cli.progress import spinner
from heksherlite.cli.services import Service, service_of_profile, service_options
from heksherlite.operations import NOT_GIVEN

if TYPE_CHECKING:
    from heksherlite.cli.states import State, StateDifference

_COLOURS: Final = {"-": "red", "+": "green", "~": "yellow"}


@click.command()
@click.argument("a", shell_complete=complete_profiles)
@click.argument("b", shell_complete=complete_profiles)
@click.option(
    "--settings",
    "pattern",
    metavar="PATTERN",
    shell_complete=complete_settings,
    help="Compare only settings with this part of a name, or pattern such as shop.*.",
)
@click.option("--exit-code", is_flag=True, help="Exit with status 2 if something differs.")
@output_option
@service_options
def diff(a: str, b: str, *, pattern: str | None, exit_code: bool, output: FORMATS, service: Service) -> None:
    """Show what differs between A and B.

    Each of A and B is a profile, the URL of a service, or a file: YAML, JSON, TOML, an export, or a folder. After a
    profile or URL, there may be @ and a time in UTC, such as prod@2026-03-01, or a revision, such as prod@42. @ alone
    is the service that the other options name. --token is for URLs.

    Lines with - are only in A, lines with + only in B, and lines with ~ differ. Of settings in files, only what the
    files manage is compared.
    """
    from heksherlite.cli.states import differences_of

    with spinner("reading"):
        one, other = _state(a, service), _state(b, service)
    found = [each for each in differences_of(one, other) if matches(each.setting, pattern)]
    if output != "table":
        print_rows(output, plain(found), {})
    elif not found:
        click.echo("Nothing differs.")
    else:
        for each in found:
            sign, text = _line(each)
            click.secho(f"{sign} {text}", fg=_COLOURS[sign])
    if exit_code and found:
        click.get_current_context().exit(2)


def _state(name: str, service: Service) -> State:
    from heksherlite.cli.states import state_of_export, state_of_files

    if Path(name).exists():
        return state_of_files([name])
    side, separator, moment = name.rpartition("@")
    if not separator:
        side, moment = name, ""
    if separator and not side:
        chosen = service
    elif "://" in side:
        chosen = service if side.rstrip("/") == service.url.rstrip("/") else Service(side, _token())
    elif "/" in side or "." in side:
        raise click.ClickException(f"there is no file {name}, and it is neither a profile nor a URL")
    else:
        chosen = service_of_profile(side)
    with chosen.connect() as admin:
        return state_of_export(admin.export(at=parse_moment(moment or None, name)).splitlines())


def _token() -> str | None:
    """Return the token of the options or the variables. That of a profile goes to its own service only."""
    token: str | None = click.get_current_context().params["token"]
    return token


def _line(difference: StateDifference) -> tuple[str, str]:
    sign = "+" if difference.a is NOT_GIVEN else "-" if difference.b is NOT_GIVEN else "~"
    sides = [as_text(_shown(each)) for each in (difference.a, difference.b) if each is not NOT_GIVEN]
    return sign, f"{difference.setting} {difference.what}: {' -> '.join(sides)}"


def _shown(value: object) -> object:
    """Return the value of a rule alone if it has no times."""
    return value["value"] if isinstance(value, dict) and value.keys() == {"value"} else value
