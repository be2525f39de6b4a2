"""How ``heksherlite import`` imports, into a database or a service."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportMode:
    """How a command imports.

    Attributes:
        replace: Whether to delete the existing settings and rules first.
        dry_run: Whether to change nothing.
        yes: Whether not to ask.
        break_glass: Whether to delete protected settings.
        block_writes: Whether services may be kept from writing for long.
        reason: Why, or None.
    """

    replace: bool = False
    dry_run: bool = False
    yes: bool = False
    break_glass: bool = False
    block_writes: bool = False
    reason: str | None = None
