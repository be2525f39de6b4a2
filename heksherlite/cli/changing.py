"""How commands change settings: the diff and the impact first, then the question, then the change."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import click

from heksherlite.cli.differences import show_changes, show_impact
from heksherlite.cli.output import FORMATS, output_option, print_one

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from heksherlite.admin import AdminClient, AnyOperation, ChangeResult

yes_option: Final[Callable[[Callable[..., Any]], Callable[..., Any]]] = click.option(
    "--yes", "-y", is_flag=True, help="Do not ask before the change, as scripts need it."
)
dry_run_option: Final[Callable[[Callable[..., Any]], Callable[..., Any]]] = click.option(
    "--dry-run", is_flag=True, help="Show what would happen, and change nothing."
)
reason_option: Final[Callable[[Callable[..., Any]], Callable[..., Any]]] = click.option(
    "--reason", metavar="TEXT", help="Why the change is made, for the history."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeMode:
    """How a command makes a change.

    Attributes:
        yes: Whether not to ask.
        dry_run: Whether to change nothing.
        reason: Why, or None.
        propose: Whether to propose the change instead of making it.
        break_glass: Whether to change protected settings.
        output: How to print the result.
    """

    yes: bool
    dry_run: bool
    reason: str | None
    propose: bool
    break_glass: bool
    output: FORMATS

    def carry_out(
        self, admin: AdminClient, operations: Sequence[AnyOperation], *, base_revision: str | None = None
    ) -> None:
        """Show what operations do, ask, and make or propose them.

        Args:
            admin: The client for the service.
            operations: The operations.
            base_revision: The name of the revision that the person looked at. What others changed since is a conflict.
                By default, it is that of the preview.

        Raises:
            click.UsageError: There is nobody to ask.
            click.Abort: The answer is no.
        """
        if self.propose:
            self._propose(admin, operations)
            return
        preview = admin.change(
            operations, base_revision=base_revision, dry_run=True, break_glass=self.break_glass, reason=self.reason
        )
        if not preview.changes:
            click.echo("Nothing changes: everything already has these values.", err=True)
            print_one(self.output, preview, lambda: f"Nothing changed; the revision is {preview.revision}.")
            return
        show_changes(preview.changes)
        show_impact(preview.impact)
        if self.dry_run:
            print_one(self.output, preview, lambda: "Nothing was changed: this was a dry run.")
            return
        require_consent("Make this change?", yes=self.yes)
        made = admin.change(
            operations,
            base_revision=preview.revision_name if base_revision is None else base_revision,
            break_glass=self.break_glass,
            reason=self.reason,
        )
        print_one(self.output, made, lambda: f"Changed in revision {made.revision}.")

    def print_unchanged(self, result: ChangeResult) -> None:
        """Print that nothing changed.

        Args:
            result: The result of no operations.
        """
        print_one(self.output, result, lambda: "Nothing was changed.")

    def _propose(self, admin: AdminClient, operations: Sequence[AnyOperation]) -> None:
        if self.dry_run:
            raise click.UsageError("--propose changes nothing by itself, so it takes no --dry-run.")
        number = admin.propose(operations, reason=self.reason)
        proposal = admin.proposal(number)
        if proposal.impact is not None:
            show_impact(proposal.impact)
        print_one(self.output, proposal, lambda: f"Proposed as number {number}.")


def change_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of commands that make changes to a command, which gets a `ChangeMode` as ``mode``."""

    @wraps(command)
    def run(
        *,
        yes: bool,
        dry_run: bool,
        reason: str | None,
        propose: bool,
        break_glass: bool,
        output: FORMATS,
        **others: Any,
    ) -> None:
        mode = ChangeMode(
            yes=yes, dry_run=dry_run, reason=reason, propose=propose, break_glass=break_glass, output=output
        )
        command(mode=mode, **others)

    propose_option = click.option(
        "--propose", is_flag=True, help="Propose the change, so that somebody else approves it, instead of making it."
    )
    break_glass_option = click.option(
        "--break-glass",
        is_flag=True,
        help="Change protected settings in an emergency. This needs the scope admin and a reason, and the history"
        " keeps it.",
    )
    decorated = yes_option(dry_run_option(reason_option(propose_option(break_glass_option(output_option(run))))))
    result: Callable[..., None] = decorated
    return result


def require_consent(question: str, *, yes: bool) -> None:
    """Ask, unless that is not wanted.

    Args:
        question: The question.
        yes: Whether the answer is known.

    Raises:
        click.UsageError: There is no terminal to ask on.
        click.Abort: The answer is no.
    """
    if yes:
        return
    require_terminal()
    click.confirm(question, abort=True, err=True)


def require_terminal() -> None:
    """Refuse to go on if there is no terminal to ask on.

    Raises:
        click.UsageError: There is none.
    """
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask on; --yes makes the change without asking.")
