"""Completion of names in shells: settings and context features of the service.

Completion never fails: whatever goes wrong, there are no proposals. It waits for the service for a second at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from collections.abc import Callable

    from heksherlite.admin import AdminClient

_SECONDS: Final = 1.0


def complete_settings(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the settings whose names begin with a text, with their types."""
    del parameter
    return _asked(
        context,
        lambda admin: [
            CompletionItem(each.name, help=each.type)
            for each in admin.list_settings()
            if each.name.startswith(incomplete)
        ],
    )


def complete_features(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the context features that may come next in conditions such as ``user=john,theme=dark``."""
    del parameter
    before, comma, begun = incomplete.rpartition(",")
    if "=" in begun:
        return []
    return _asked(
        context,
        lambda admin: [
            CompletionItem(f"{before}{comma}{feature}=")
            for feature in admin.context_features()
            if feature.startswith(begun) and f"{feature}=" not in before
        ],
    )


def _asked(context: click.Context, ask: Callable[[AdminClient], list[CompletionItem]]) -> list[CompletionItem]:
    from heksherlite.cli.services import service_of

    values = context.params
    try:
        service = service_of(context, values.get("url"), values.get("token"), (), values.get("profile"))
        with service.connect(seconds=_SECONDS) as admin:
            return ask(admin)
    except click.ClickException:
        return []
