"""``heksherlite import``: put an export, or a copy of another service, into a database or a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from heksherlite.cli.changing import dry_run_option, reason_option, yes_option
from heksherlite.cli.import_mode import ImportMode
from heksherlite.cli.output import FORMATS, output_option, print_one
from heksherlite.cli.source import refuse_credentials
from heksherlite.cli.target import chosen_service, place_options

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command("import")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--from-url",
    metavar="URL",
    help="Copy the service at this URL instead of reading FILE: any service with the v1 API. The token needs the scope"
    " read.",
)
@click.option(
    "--replace", is_flag=True, help="Delete the existing settings and rules first. Without this, there must be none."
)
@yes_option
@dry_run_option
@reason_option
@click.option(
    "--break-glass",
    is_flag=True,
    help="Delete protected settings of a service in an emergency. This needs a reason, and the history keeps it.",
)
@click.option(
    "--block-writes",
    is_flag=True,
    help="Keep services on the database from writing for as long as the import takes. Without this, an import that"
    " takes longer than 5 s while services run is given up.",
)
@output_option
@place_options
@click.pass_context
def import_(
    context: click.Context,
    *,
    file: str | None,
    from_url: str | None,
    url: str | None,
    profile: str | None,
    token: str | None,
    headers: Sequence[str],
    database: str | None,
    output: FORMATS,
    replace: bool,
    yes: bool,
    dry_run: bool,
    break_glass: bool,
    block_writes: bool,
    reason: str | None,
) -> None:
    """Import an export, or copy another service.

    The settings, rules and context features go into the database, or with --url or --profile into a service: either
    all of them or none. FILE is an export that heksherlite export wrote; - is the standard input. Services that run on
    the database notice the import like any other change. An import into a service asks first.
    """
    if (file is None) == (from_url is None):
        raise click.UsageError("Give either FILE or --from-url.")
    mode = ImportMode(
        replace=replace,
        dry_run=dry_run,
        yes=yes,
        break_glass=break_glass,
        block_writes=block_writes,
        reason=reason,
    )
    service = chosen_service(context, url, token, headers, profile)
    if service is not None and file is not None:
        from heksherlite.cli.transfers import import_into

        result, place = import_into(service, file, mode), service.url
    elif service is not None:
        raise click.UsageError(
            "--from-url copies into a database. Into a service: heksherlite export --url FROM --output - |"
            " heksherlite import - --url TO --yes"
        )
    elif break_glass:
        raise click.UsageError("--break-glass needs --url or --profile: an import into a database minds no protection.")
    else:
        from heksherlite.cli.import_work import import_file, import_service

        if from_url is None:
            refuse_credentials(context, "--from-url or --url")
            result, place = import_file(str(file), database, mode)
        else:
            result, place = import_service(from_url, token, headers, database, mode)
    content = f"{result.settings} settings with {result.rules} rules"
    done = "This was a dry run. An import would store" if dry_run else "Imported"
    print_one(output, result, lambda: f"{done} {content} {'in' if dry_run else 'into'} {place}")
