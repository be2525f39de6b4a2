"""Renders pages from templates. All values are escaped, and pages load nothing but style sheets and the icon."""

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote

from fastapi import Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from heksherlite.service.api.context import context_of
from heksherlite.service.api.identity import Identity
from heksherlite.service.pages.menu import menu_of, theme_of

PAGES: Final = "/f/"
"""The path of the pages for logins and approvals."""

_PACKAGE: Final = "heksherlite.service.pages"
_CONSOLE: Final = "heksherlite.service.console"

PAGE_HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none';"
        " base-uri 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    # With no-referrer, browsers would send "Origin: null" with forms.
    "referrer-policy": "same-origin",
}


def render(
    request: Request, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
) -> Response:
    """Return a page.

    Args:
        request: The request.
        template: The name of the template, without ``.html``.
        status: The status code of the response.
        headers: Additional response headers.
        values: The values that the template displays.
    """
    people = context_of(request).people
    visitor = people.visitor(request)
    identity = getattr(request.state, "identity", None) or Identity()
    html = (
        _environment()
        .get_template(f"{template}.html")
        .render(
            **values,
            root=root_of(request),
            style=style_sheet()[1],
            service_title=context_of(request).options.title,
            service_color=context_of(request).options.color,
            sections=menu_of(identity),
            theme=theme_of(request),
            form_token=visitor.form_token,
            identity=identity,
        )
    )
    response = Response(html, status, {**PAGE_HEADERS, **(headers or {})}, "text/html")
    if visitor.is_new:
        people.set_cookie(request, response, visitor)
    return response


def root_of(request: Request) -> str:
    """Return the relative URL of ``/f/``, because a proxy may serve it under another path."""
    path = local_path(request)
    depth = path.count("/")
    return "../" * (depth - 2) if path.startswith(PAGES) else "../" * (depth - 1) + PAGES[1:]


def local_path(request: Request) -> str:
    """Return the path of a request as the browser sent it, without the path that a proxy removes."""
    scope = request.scope
    path: str = scope["raw_path"].decode("latin-1") if "raw_path" in scope else quote(scope["path"])
    return path.removeprefix(scope.get("root_path", ""))


def redirect(request: Request, page: str) -> Response:
    """Return a redirect to another page.

    Args:
        request: The request.
        page: The page, relative to ``/f/``.
    """
    # A bare path could start with what looks like a scheme.
    return Response(None, 303, {**PAGE_HEADERS, "location": (root_of(request) or "./") + page})


@cache
def style_sheet() -> tuple[str, str]:
    """Return the style sheet and the digest that identifies its version.

    It is that of the console, and what only these pages need.
    """
    shared = files(_CONSOLE).joinpath("static/console.css").read_text("utf-8")
    text = shared + files(_PACKAGE).joinpath("style.css").read_text("utf-8")
    return text, sha256(text.encode()).hexdigest()[:16]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["sentence"] = lambda text: text[:1].upper() + text[1:]
    return environment
