"""``heksherlite audit``: export the audit record as JSON lines."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import click

from heksherlite.cli.services import Service
from heksherlite.cli.target import Target, target_options

_AT_ONCE: Final = 1_000


def _parse_time(_context: click.Context, _parameter: click.Parameter, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not a time such as 2030-01-31T12:00:00Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@click.command()
@click.option(
    "--output",
    metavar="FILE",
    default="-",
    show_default=True,
    type=click.Path(dir_okay=False, allow_dash=True),
    help="The file to write, which only its owner can read; - is the standard output.",
)
@click.option("--action", metavar="ACTION", help="Only this action, such as token.create.")
@click.option("--outcome", type=click.Choice(["succeeded", "denied"]), help="Only this outcome.")
@click.option("--actor-kind", metavar="KIND", help="Only actors of this kind, such as token, application or person.")
@click.option("--actor-id", metavar="ID", help="Only the actor with this ID, such as hkl_5f0c2a91.")
@click.option("--address", metavar="ADDRESS", help="Only requests from this address.")
@click.option("--subject", metavar="ID", help="Only what was done to the token, application, group or secret ID.")
@click.option(
    "--since", metavar="TIME", callback=_parse_time, help="Only at this time or later, such as 2030-01-31, in UTC."
)
@click.option("--until", metavar="TIME", callback=_parse_time, help="Only before this time, in UTC.")
@click.option("--after", metavar="NUMBER", type=click.IntRange(0), help="Only records with a higher id.")
@target_options
def audit(target: Target, output: str, **search: Any) -> None:
    """Export the audit record as JSON lines, oldest first.

    The record tells who was given access, who used it, and who was denied. With --url, the token needs the scope audit
    and no setting prefix. To export only what is new, give the id of the last record to --after.
    """
    from heksherlite.cli.export import write_pieces

    search = {name: value for name, value in search.items() if value is not None}
    write_pieces(output, _pieces(target, search))


def _pieces(target: Target, search: dict[str, Any]) -> Iterator[bytes]:
    if target.url is None:
        return _stored(target.database, search)
    return _served(Service(target.url, target.token, target.headers), search)


def _stored(location: str | None, search: dict[str, Any]) -> Iterator[bytes]:
    import orjson

    from heksherlite.cli.database import in_audit_log
    from heksherlite.service.domain.audit import Action, AuditOutcome
    from heksherlite.service.storage.audit import AuditSearch

    if "action" in search and search["action"] not in set(Action):
        raise click.BadParameter(f"the actions are {', '.join(Action)}", param_hint="--action")
    kinds: dict[str, Any] = {"action": Action, "outcome": AuditOutcome}
    wanted: dict[str, Any] = {name: kinds[name](value) if name in kinds else value for name, value in search.items()}
    for records in in_audit_log(location, AuditSearch(**wanted), at_once=_AT_ONCE):
        yield b"".join(orjson.dumps(record.as_json(), option=orjson.OPT_APPEND_NEWLINE) for record in records)


def _served(service: Service, search: dict[str, Any]) -> Iterator[bytes]:
    import orjson

    with service.connect() as client:
        while lines := client.export_audit(**search, limit=_AT_ONCE):
            yield lines
            search["after"] = orjson.loads(lines.splitlines()[-1])["id"]
