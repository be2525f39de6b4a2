"""``heksherlite declarer``: who may upgrade a setting by declaring it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from heksherlite.cli.access_mode import AccessMode, access_options
from heksherlite.cli.groups import CommandGroup
from heksherlite.cli.output import FORMATS, output_option, print_rows
from heksherlite.cli.target import Target, administration_of, target_options

if TYPE_CHECKING:
    from heksherlite.service.domain.declarers import DeclarerKind


def _declarer_options(command: Callable[..., None]) -> Callable[..., None]:
    application = click.option(
        "--application", metavar="ID", help="The ID of the application, as heksherlite app list shows it."
    )
    token = click.option(
        "--token-id",
        metavar="BEGINNING",
        help="The beginning of the token, as heksherlite token list shows it, such as hkl_5f0c2a91.",
    )
    return application(token(command))


@click.group(cls=CommandGroup)
def declarer() -> None:
    """List, add and remove the declarers of a setting.

    With --strict-declarations, a program whose token only has the scope declare upgrades a setting only if it is one of
    its declarers: the program that declared it first, and those that are added here. Tokens with a setting prefix, or
    with the scope write or admin, need not be added.
    """


@declarer.command(name="list")
@click.argument("setting")
@output_option
@target_options
def list_(setting: str, output: FORMATS, target: Target) -> None:
    """List the declarers of SETTING."""
    found = administration_of(target).declarers(setting)
    rows = [{"kind": kind, "id": id_, "name": name} for kind, id_, name in found]
    print_rows(output, rows, {"KIND": "kind", "ID": "id", "NAME": "name"})


@declarer.command()
@click.argument("setting")
@_declarer_options
@access_options
def add(setting: str, *, application: str | None, token_id: str | None, mode: AccessMode) -> None:
    """Add a declarer to SETTING: an application or a token."""
    kind, declarer_id = _declarer(application, token_id)
    administration = mode.administration
    if mode.dry_run:
        administration.declarers(setting)  # which refuses a setting that does not exist
    else:
        administration.add_declarer(setting, kind, declarer_id)
    mode.report("add declarer", setting, declarer_id)


@declarer.command()
@click.argument("setting")
@_declarer_options
@access_options
def remove(setting: str, *, application: str | None, token_id: str | None, mode: AccessMode) -> None:
    """Remove a declarer from SETTING."""
    kind, declarer_id = _declarer(application, token_id)
    administration = mode.administration
    if mode.dry_run:
        administration.declarers(setting)  # which refuses a setting that does not exist
    else:
        administration.remove_declarer(setting, kind, declarer_id)
    mode.report("remove declarer", setting, declarer_id)


def _declarer(application: str | None, token_id: str | None) -> "tuple[DeclarerKind, str]":
    if application is not None and token_id is None:
        return "application", application
    if application is None and token_id is not None:
        return "token", token_id
    raise click.UsageError("Give either --application or --token-id.")
