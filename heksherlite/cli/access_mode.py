"""How commands change who has access: for which reason, or as a dry run, and how they print what they did."""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from heksherlite.cli.changing import dry_run_option, reason_option
from heksherlite.cli.output import FORMATS, output_option, print_one
from heksherlite.cli.target import Target, administration_of, target_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from heksherlite.cli.administration import Administration
    from heksherlite.cli.remote_administration import RemoteAdministration


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessMode:
    """How a command changes who has access.

    Attributes:
        target: The database or service.
        reason: Why, or None.
        dry_run: Whether to change nothing.
        output: How to print the result.
    """

    target: Target
    reason: str | None
    dry_run: bool
    output: FORMATS

    @property
    def administration(self) -> Administration | RemoteAdministration:
        """The tokens, applications, groups and secrets that the command works on."""
        return administration_of(self.target, self.reason)

    def report(self, action: str, *subjects: str) -> None:
        """Print what was done, which people see only if it was a dry run.

        Args:
            action: What, such as ``revoke token``.
            subjects: To what.
        """
        result = {"action": action, "subjects": list(subjects), "dry_run": self.dry_run}
        if self.output != "table":
            print_one(self.output, result, str)
        elif self.dry_run:
            click.echo(f"This was a dry run: {action}{' ' * bool(subjects)}{', '.join(subjects)}")


def access_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of commands that change who has access to a command, which gets an `AccessMode` as ``mode``."""

    @wraps(command)
    def run(*, target: Target, reason: str | None, dry_run: bool, output: FORMATS, **others: Any) -> None:
        command(mode=AccessMode(target=target, reason=reason, dry_run=dry_run, output=output), **others)

    decorated = reason_option(dry_run_option(output_option(target_options(run))))
    result: Callable[..., None] = decorated
    return result
