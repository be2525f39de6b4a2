"""Every page of the console and of the approvals, and addresses that show it, for tests that visit each one."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from tests.service.api import Api
from tests.service.routes import all_calls

NO_PAGES: Final = frozenset(
    {
        "/",
        "/console",
        "/console/static/{version}/{name}",
        "/console/color.css",
        "/console/icon.svg",
        "/console/events",
        "/console/draft/export",
        "/console/draft/plan",
        "/f/stream/",
        "/f/style.css",
        "/f/oidc/login",
        "/f/oidc/callback",
    }
)
"""What a browser gets that is no page: redirects, files and streams."""


@dataclass(frozen=True, slots=True)
class Examples:
    """What some addresses contain.

    Attributes:
        rule: The id of a rule of ``cache_ttl``.
        revision: A revision that a draft can undo.
        removal: A revision that only an operator can revert, because a setting was deleted.
        proposal: A proposal of a value that is open.
        administration: A proposal that changes a declaration, and is open.
        code: The code of an application that waits for an approval.
    """

    rule: int
    revision: int
    removal: int
    proposal: int
    administration: int
    code: str


def make_examples(api: Api) -> Examples:
    """Make what the addresses need in a service that has the settings of the shop.

    Args:
        api: A client with a token that may do everything.
    """
    api.declare("checkout.terms", type="str", default_value="The customer pays for the goods. " * 9)
    api.declare("mail.old")
    assert api.call("DELETE", "settings/mail.old").status_code == 204
    removal = api.revision()
    default = {"op": "set_default", "setting": "checkout.enabled", "value": False}
    made = api.call("POST", "changes", {"operations": [default], "reason": "maintenance"})
    revision = made.raise_for_status().json()["revision"]
    value = {"op": "put_rule", "setting": "checkout.page_size", "feature_values": {"user": "ann"}, "value": 9}
    features = {"op": "set_configurable_features", "setting": "mail.limits", "configurable_features": ["environment"]}
    proposal, administration = [
        api.call("POST", "proposals", {"operations": [each], "reason": "for the newsletter"}).json()["proposal_id"]
        for each in (value, features)
    ]
    manifest = {"identifier": "shop.checkout", "version": "1.2", "scopes": ["read", "write"]}
    code = api.http.post("/f/start/", json={"manifest": manifest}).json()["code"]
    return Examples(api.rule_ids()[0], revision, removal, proposal, administration, code)


def addresses(examples: Examples) -> Mapping[str, Sequence[str]]:
    """Return addresses of every page, by the path of its route."""
    code = f"?device_code={examples.code}&grant=device_code"
    return {
        "/console/": [
            "/console/",
            "/console/?c.environment=dev",
            "/console/?q=nothing-of-the-kind",
            "/console/?has=undeclared&days=1",
            "/console/?prefix=checkout",
        ],
        "/console/settings/{name}": [
            "/console/settings/cache_ttl",
            "/console/settings/cache_ttl?c.environment=dev&c.user=john",
            "/console/settings/checkout.enabled",
            "/console/settings/checkout.page_size",
            "/console/settings/checkout.terms",
        ],
        "/console/settings/{name}/value": ["/console/settings/checkout.terms/value"],
        "/console/settings/{name}/edit": [
            "/console/settings/checkout.enabled/edit",
            f"/console/settings/cache_ttl/edit?rule={examples.rule}",
        ],
        "/console/settings/{name}/default": [
            "/console/settings/checkout.methods/default",
            "/console/settings/mail.limits/default",
        ],
        "/console/bulk": [
            "/console/bulk?setting=checkout.enabled&setting=checkout.page_size",
            f"/console/bulk?setting=cache_ttl&rule={examples.rule}",
        ],
        "/console/draft": ["/console/draft"],
        "/console/explain": [
            "/console/explain",
            "/console/explain?settings=cache_ttl&c.environment=dev&d.environment=prod",
            "/console/explain?settings=cache_ttl&c.environment=dev&c.user=john",
        ],
        "/console/history": ["/console/history", "/console/history?setting=cache_ttl&c.environment=dev"],
        "/console/history/{revision}": [
            f"/console/history/{examples.revision}",
            f"/console/history/{examples.removal}",
        ],
        "/console/proposals": ["/console/proposals", "/console/proposals?mine=1", "/console/proposals?all=1"],
        "/console/proposals/{number}": [
            f"/console/proposals/{examples.proposal}",
            f"/console/proposals/{examples.administration}",
        ],
        "/console/compare": [
            "/console/compare",
            "/console/compare?feature=environment&left=dev&right=prod",
            "/console/compare?feature=customer&left=acme&right=globex",
        ],
        "/console/compare/contexts": [
            "/console/compare/contexts",
            "/console/compare/contexts?c.customer=acme&d.customer=globex",
        ],
        "/console/compare/file": ["/console/compare/file"],
        "/console/features": ["/console/features"],
        "/console/access": ["/console/access"],
        "/console/service": ["/console/service"],
        "/console/help": ["/console/help"],
        "/f/login": ["/f/login"],
        "/f/sessions": ["/f/sessions"],
        "/f/device": ["/f/device"],
        "/f/configure": [f"/f/configure{code}"],
        "/f/configure/": [f"/f/configure/{code}"],
    }


def page_routes() -> set[str]:
    """Return the paths of the routes that show pages."""
    paths = {call.path for call in all_calls() if call.method == "GET"}
    return {path for path in paths if path.startswith(("/console", "/f/")) or path == "/"} - NO_PAGES


@cache
def _patterns() -> Sequence[tuple[str, str, re.Pattern[str]]]:
    patterns = [
        (call.method, call.path, re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(call.path))))
        for call in all_calls()
    ]
    return sorted(patterns, key=lambda each: "{" in each[1])


def route_of(method: str, path: str) -> str | None:
    """Return the path of the route that a request goes to, or None without such a route."""
    return next((known for verb, known, pattern in _patterns() if verb == method and pattern.fullmatch(path)), None)
