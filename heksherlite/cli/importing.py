"""``heksherlite import``: put an export, or a copy of another service, into a database."""

from collections.abc import Sequence

import click

from heksherlite.cli.location import database_option
from heksherlite.cli.source import credential_options, refuse_credentials


@click.command("import")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--from-url",
    metavar="URL",
    help="Copy the service at this URL instead of reading FILE: any service with the v1 API. The token needs the scope"
    " read.",
)
@credential_options
@click.option(
    "--replace", is_flag=True, help="Delete the existing settings and rules first. Without this, there must be none."
)
@database_option
@click.pass_context
def import_(
    context: click.Context,
    *,
    file: str | None,
    from_url: str | None,
    token: str | None,
    headers: Sequence[str],
    replace: bool,
    database: str | None,
) -> None:
    """Import an export, or copy another service.

    The settings, rules and context features go into the database, either all of them or none. FILE is an export that
    heksherlite export wrote without URL; - is the standard input. Services that run on the database notice the
    import like any other change.
    """
    if (file is None) == (from_url is None):
        raise click.UsageError("Give either FILE or --from-url.")
    from heksherlite.cli.import_work import import_file, import_service

    if from_url is None:
        refuse_credentials(context, "--from-url")
        import_file(str(file), database, replace=replace)
    else:
        import_service(from_url, token, headers, database, replace=replace)
