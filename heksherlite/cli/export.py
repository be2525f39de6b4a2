"""``heksherlite export``: write a database into a file for an import, or a snapshot of a service for programs."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from heksherlite.cli.location import database_option
from heksherlite.cli.source import credential_options, refuse_credentials


@click.command()
@click.argument("url", required=False)
@click.option(
    "--output",
    metavar="FILE",
    required=True,
    type=click.Path(dir_okay=False, allow_dash=True),
    help="The file to write; - is the standard output.",
)
@database_option
@credential_options
@click.option(
    "--settings", metavar="NAMES", help="The settings of the snapshot, separated by commas. By default all of them."
)
@click.pass_context
def export(
    context: click.Context,
    *,
    url: str | None,
    output: str,
    database: str | None,
    token: str | None,
    headers: Sequence[str],
    settings: str | None,
) -> None:
    """Export a database, or take a snapshot of a service.

    Without URL, the settings and rules of the database go into a file that heksherlite import reads. With the URL of
    a service, a snapshot goes into the file. Programs start from it when they cannot reach the service.
    """
    if url is None:
        refuse_credentials(context, "URL")
        if settings is not None:
            raise click.UsageError("--settings needs URL, the URL of a service.")
        from heksherlite.cli.backup import exported

        with exported(database) as lines:
            write_pieces(output, lines)
    else:
        names = _parse_names(settings)
        from heksherlite.cli.snapshot import take_snapshot

        write_pieces(output, [take_snapshot(url, token, headers, names)])


def write_pieces(output: str, pieces: Iterable[bytes]) -> None:
    """Write pieces into a private file, which takes the place of one with the same name, or to the standard output.

    Args:
        output: The path of the file; ``-`` for the standard output.
        pieces: The pieces.

    Raises:
        click.ClickException: The file cannot be written.
    """
    from heksherlite.clients.snapshot_file import replace_file

    try:
        if output == "-":
            with open(sys.stdout.fileno(), "wb", closefd=False) as stdout:
                stdout.writelines(pieces)
        else:
            replace_file(Path(output), pieces)
    except (OSError, ValueError) as error:
        raise click.ClickException(f"cannot write {output}: {error}") from error


def _parse_names(settings: str | None) -> list[str] | None:
    if settings is None:
        return None
    names = [name.strip() for name in settings.split(",") if name.strip()]
    if not names:
        raise click.BadParameter("expected at least one name of a setting", param_hint="--settings")
    return names
