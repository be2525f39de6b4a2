"""``heksherlite export``: write settings into a file for an import, or a snapshot of a service for programs."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from heksherlite.cli.arguments import parse_moment
from heksherlite.cli.source import refuse_credentials
from heksherlite.cli.target import chosen_service, place_options


@click.command()
@click.argument("snapshot_url", metavar="[URL]", required=False)
@click.option(
    "--output",
    metavar="FILE",
    required=True,
    type=click.Path(dir_okay=False, allow_dash=True),
    help="The file to write; - is the standard output.",
)
@place_options
@click.option(
    "--at", metavar="TIME", help="Export the settings of a service as of this time or revision. By default, as of now."
)
@click.option(
    "--settings", metavar="NAMES", help="The settings of the snapshot, separated by commas. By default all of them."
)
@click.pass_context
def export(
    context: click.Context,
    *,
    snapshot_url: str | None,
    output: str,
    database: str | None,
    url: str | None,
    profile: str | None,
    token: str | None,
    headers: Sequence[str],
    at: str | None,
    settings: str | None,
) -> None:
    """Export a database or a service, or take a snapshot of a service.

    The settings and rules of the database go into a file that heksherlite import reads. With --url or --profile, they
    are those of a service, which the token reads with the scope read. With URL, which has no option in front of it, a
    snapshot goes into the file. Programs start from it when they cannot reach the service.
    """
    service = chosen_service(context, url, token, headers, profile)
    if snapshot_url is not None and service is not None:
        raise click.UsageError("Give either URL, for a snapshot, or --url or --profile, for an export.")
    if settings is not None and snapshot_url is None:
        raise click.UsageError("--settings needs URL, the URL of a service.")
    if at is not None and service is None:
        raise click.UsageError("--at needs --url or --profile, a service that keeps its history.")
    if snapshot_url is not None:
        names = _parse_names(settings)
        from heksherlite.cli.snapshot import take_snapshot

        write_pieces(output, [take_snapshot(snapshot_url, token, headers, names)])
    elif service is not None:
        from heksherlite.cli.transfers import exported_by

        with exported_by(service, parse_moment(at, "--at")) as pieces:
            write_pieces(output, pieces)
    else:
        refuse_credentials(context, "URL or --url")
        from heksherlite.cli.backup import exported

        with exported(database) as pieces:
            write_pieces(output, pieces)


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
