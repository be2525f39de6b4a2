"""HTML from templates: everything is escaped, and nothing but the style sheet of this service is loaded with it."""

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from fastapi import Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from heksherlite.service.api.operators import operators_of

_PACKAGE: Final = "heksherlite.service.pages"

PAGE_HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    # With the usual no-referrer, browsers would not say in Origin that a form comes from here.
    "referrer-policy": "same-origin",
}


def render(
    request: Request, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
) -> Response:
    """Answer with a page.

    Args:
        request: The request, of any path below ``/f/``.
        template: The name of the template, without ``.html``.
        status: The status of the answer.
        headers: Further headers of the answer.
        values: What the template shows.
    """
    operators = operators_of(request)
    visitor = operators.visitor(request)
    html = (
        _environment()
        .get_template(f"{template}.html")
        .render(
            **values,
            root=root_of(request),
            style=style_sheet()[1],
            form_token=visitor.form_token,
            identity=request.state.identity,
        )
    )
    answer = Response(html, status, {**PAGE_HEADERS, **(headers or {})}, "text/html")
    if visitor.is_new:
        operators.set_cookie(request, answer, visitor)
    return answer


def root_of(request: Request) -> str:
    """Return the relative address of ``/f/``: a proxy in front may have put all of it somewhere else."""
    return "../" * (request.url.path.removeprefix(request.scope.get("root_path", "")).count("/") - 2)


def redirect(request: Request, page: str) -> Response:
    """Answer with the way to another page.

    Args:
        request: The request.
        page: The page, relative to ``/f/``.
    """
    # A path alone could begin with what looks like a scheme.
    return Response(None, 303, {**PAGE_HEADERS, "location": (root_of(request) or "./") + page})


@cache
def style_sheet() -> tuple[str, str]:
    """Return the style sheet, and what tells its versions apart."""
    text = files(_PACKAGE).joinpath("style.css").read_text("utf-8")
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
