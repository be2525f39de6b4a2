"""``heksherlite proposals``: changes that somebody else approves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, Final

import click
import orjson

from heksherlite.cli.arguments import operations_in, parse_time
from heksherlite.cli.changing import dry_run_option, reason_option, require_consent, yes_option
from heksherlite.cli.differences import show_changes, show_conflicts, show_impact
from heksherlite.cli.groups import CommandGroup
from heksherlite.cli.output import FORMATS, as_text, output_option, plain, print_one, print_rows
from heksherlite.cli.records import author_text
from heksherlite.cli.services import Service, service_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from heksherlite.admin import AnyOperation, Proposal

_STATES: Final = ("open", "approved", "applied", "rejected", "withdrawn", "failed")
_OPEN: Final = frozenset({"open", "approved"})

_COMMENT: Final[Callable[[Callable[..., Any]], Callable[..., Any]]] = click.option(
    "--comment", metavar="TEXT", help="A comment for the discussion."
)


@click.group(cls=CommandGroup)
def proposals() -> None:
    """Propose changes, and decide about those of others.

    Commands that change settings propose the change with --propose.
    """


@proposals.command(name="list")
@click.option(
    "--state",
    "states",
    type=click.Choice(_STATES),
    multiple=True,
    default=("open", "approved"),
    show_default=True,
    help="Only proposals in this state. Repeat the option for several.",
)
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="The maximum number of proposals."
)
@output_option
@service_options
def list_(states: Sequence[Any], limit: int, output: FORMATS, service: Service) -> None:
    """List proposals, the newest first."""
    with service.connect() as admin:
        found = admin.list_proposals(states=states, limit=limit).proposals
    rows = plain(found)
    if output == "table":
        for row, proposal in zip(rows, found, strict=True):
            row["by"], row["size"] = author_text(proposal.author), len(proposal.operations)
    columns = {"NUMBER": "proposal_id", "STATE": "state", "BY": "by", "OPERATIONS": "size", "REASON": "reason"}
    print_rows(output, rows, columns)


@proposals.command()
@click.argument("number", type=click.IntRange(1))
@output_option
@service_options
def show(number: int, output: FORMATS, service: Service) -> None:
    """Show the proposal NUMBER, and what it would do now."""
    with service.connect() as admin:
        proposal = admin.proposal(number)
    print_one(output, proposal, lambda: "\n".join(_description(proposal)))
    if output == "table":
        show_conflicts(proposal.conflicts)
        if proposal.impact is not None and not proposal.conflicts:
            show_impact(proposal.impact)


@proposals.command()
@click.argument("file", type=click.File("rb"))
@reason_option
@click.option(
    "--apply-at",
    metavar="TIME",
    help="When to apply the change after its approval: a time in UTC, or 2h for two hours from now. By default at"
    " once.",
)
@dry_run_option
@output_option
@service_options
def create(
    file: BinaryIO, reason: str | None, apply_at: str | None, dry_run: bool, output: FORMATS, service: Service
) -> None:
    """Propose the operations in FILE; - is the standard input.

    FILE is a JSON list of operations, such as {"op": "set_default", "setting": "page_size", "value": 50}.
    """
    operations = _read_operations(file)
    time = parse_time(apply_at, "--apply-at", from_now=True)
    with service.connect() as admin:
        if dry_run:
            preview = admin.change(operations, dry_run=True)
            show_changes(preview.changes)
            show_impact(preview.impact)
            print_one(output, preview, lambda: "Nothing was proposed: this was a dry run.")
            return
        proposal = admin.proposal(admin.propose(operations, reason=reason, apply_at=time))
    if proposal.impact is not None:
        show_impact(proposal.impact)
    print_one(output, proposal, lambda: f"Proposed as number {proposal.proposal_id}.")


@proposals.command()
@click.argument("number", type=click.IntRange(1))
@_COMMENT
@yes_option
@dry_run_option
@output_option
@service_options
def approve(number: int, comment: str | None, yes: bool, dry_run: bool, output: FORMATS, service: Service) -> None:
    """Approve the proposal NUMBER of somebody else, after you have seen what it does."""
    with service.connect() as admin:
        proposal = admin.proposal(number)
        click.echo("\n".join(_description(proposal)), err=True)
        show_conflicts(proposal.conflicts)
        if proposal.impact is not None and not proposal.conflicts:
            show_impact(proposal.impact)
        if dry_run:
            print_one(output, proposal, lambda: "Nothing was changed: this was a dry run.")
            return
        require_consent("Approve this proposal?", yes=yes)
        approved = admin.approve(number, comment=comment)

    def describe() -> str:
        if approved.applied_revision is None:
            return f"Approved; it is applied at {approved.apply_at:%Y-%m-%d %H:%M:%S} UTC."
        return f"Applied in revision {approved.applied_revision}."

    print_one(output, approved, describe)


@proposals.command()
@click.argument("number", type=click.IntRange(1))
@_COMMENT
@dry_run_option
@output_option
@service_options
def reject(number: int, comment: str | None, dry_run: bool, output: FORMATS, service: Service) -> None:
    """Reject the proposal NUMBER."""
    with service.connect() as admin:
        if not dry_run:
            admin.reject(number, comment=comment)
        proposal = admin.proposal(number)
    _print_ended(proposal, f"Rejected proposal {number}.", output, dry_run=dry_run)


@proposals.command()
@click.argument("number", type=click.IntRange(1))
@_COMMENT
@dry_run_option
@output_option
@service_options
def withdraw(number: int, comment: str | None, dry_run: bool, output: FORMATS, service: Service) -> None:
    """Withdraw your own proposal NUMBER."""
    with service.connect() as admin:
        if not dry_run:
            admin.withdraw(number, comment=comment)
        proposal = admin.proposal(number)
    _print_ended(proposal, f"Withdrew proposal {number}.", output, dry_run=dry_run)


@proposals.command()
@click.argument("number", type=click.IntRange(1))
@click.argument("text")
@output_option
@service_options
def comment(number: int, text: str, output: FORMATS, service: Service) -> None:
    """Comment on the proposal NUMBER."""
    with service.connect() as admin:
        admin.comment(number, text)
        proposal = admin.proposal(number)
    print_one(output, proposal, lambda: f"Commented on proposal {number}.")


def _print_ended(proposal: Proposal, done: str, output: FORMATS, *, dry_run: bool) -> None:
    if dry_run and proposal.state not in _OPEN:
        raise click.ClickException(f"proposal {proposal.proposal_id} is {proposal.state} already")
    print_one(output, proposal, lambda: "Nothing was changed: this was a dry run." if dry_run else done)


def _read_operations(file: BinaryIO) -> list[AnyOperation]:
    from heksherlite.json_texts import parse_json

    try:
        shown = parse_json(file.read())
    except orjson.JSONDecodeError as error:
        raise click.BadParameter(f"not JSON: {error}", param_hint="FILE") from error
    return operations_in(shown)


def _description(proposal: Proposal) -> Iterator[str]:
    yield (
        f"proposal {proposal.proposal_id} ({proposal.state}), {proposal.proposed_at:%Y-%m-%d %H:%M:%S} UTC,"
        f" by {author_text(proposal.author)}"
    )
    if proposal.reason:
        yield f"reason: {proposal.reason}"
    if proposal.apply_at is not None:
        yield f"to be applied at {proposal.apply_at:%Y-%m-%d %H:%M:%S} UTC"
    if proposal.decided_by is not None:
        yield f"decided by {author_text(proposal.decided_by)}"
    if proposal.failure:
        yield f"failed: {proposal.failure}"
    yield "operations:"
    yield from (f"  {as_text(operation.as_json())}" for operation in proposal.operations)
    yield from (f"{author_text(each.author)}: {each.text}" for each in proposal.comments)
