"""The menu of all pages, and the choice between light and dark."""

from collections.abc import Sequence
from typing import Final

from fastapi import Request

from heksherlite.service.api.identity import Identity
from heksherlite.service.domain.tokens import Scope

THEMES: Final = ("auto", "light", "dark")
THEME_COOKIE: Final = "heksherlite_theme"


def theme_of(request: Request) -> str:
    """Return which colors the browser that sent a request has chosen."""
    theme = request.cookies.get(THEME_COOKIE, "auto")
    return theme if theme in THEMES else "auto"


def menu_of(identity: Identity) -> Sequence[tuple[str, str]]:
    """Return the sections that a person may see: the path relative to ``/console/``, and the name.

    Args:
        identity: The person. Somebody who is not logged in has no scopes.
    """
    scopes, is_limited = identity.scopes, bool(identity.setting_prefix)
    if not scopes:
        return ()
    reads = Scope.READ in scopes
    offers = (
        ("", "Settings", reads),
        ("explain", "Explain", reads),
        ("history", "History", reads and not is_limited),
        ("draft", "Draft", not scopes.isdisjoint({Scope.WRITE, Scope.PROPOSE, Scope.ADMIN})),
        ("proposals", "Proposals", not scopes.isdisjoint({Scope.READ, Scope.WRITE, Scope.PROPOSE})),
        ("compare", "Compare", reads),
        ("features", "Context features", reads),
        ("access", "Access", Scope.ADMIN in scopes and not is_limited and identity.is_accountable),
        ("service", "Service", reads),
    )
    return [(path, name) for path, name, offered in offers if offered]
