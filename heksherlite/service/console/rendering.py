"""Renders the pages of the console. All values are escaped, and pages load nothing from elsewhere."""

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from fastapi import Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from heksherlite.rule_sets import NO_VALUE
from heksherlite.service.api.context import context_of
from heksherlite.service.console import showing
from heksherlite.service.console.links import here
from heksherlite.service.console.people import person_of
from heksherlite.service.errors import DatabaseUnavailableError
from heksherlite.service.pages.menu import menu_of, theme_of

_PACKAGE: Final = "heksherlite.service.console"

PAGE_HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    # With no-referrer, browsers would send "Origin: null" with forms.
    "referrer-policy": "same-origin",
}

STATIC_TYPES: Final = {"css": "text/css", "js": "text/javascript"}


async def render(
    request: Request, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
) -> Response:
    """Return a page.

    Args:
        request: The request, for a path below ``/console/``.
        template: The name of the template, without ``.html``.
        status: The status code of the response.
        headers: Additional response headers.
        values: The values that the template displays.
    """
    context = context_of(request)
    visitor = context.people.visitor(request)
    identity = getattr(request.state, "identity", None)
    person = None if identity is None or not identity.scopes else person_of(request)
    html = compile_template(template).render(
        **values,
        root=root_of(request),
        assets=asset_version(),
        service_title=context.options.title,
        service_color=context.options.color,
        form_token=visitor.form_token,
        person=person,
        drafted=await _drafted(request) if person is not None and person.may_edit else 0,
        revision=context.store.catalog.counters.revision,
        theme=theme_of(request),
        here=here(request),
        sections=() if identity is None else menu_of(identity),
    )
    response = Response(html, status, {**PAGE_HEADERS, **(headers or {})}, "text/html")
    if visitor.is_new:
        context.people.set_cookie(request, response, visitor)
    return response


async def _drafted(request: Request) -> int:
    try:
        draft = await context_of(request).store.drafts.get(person_of(request).draft_owner)
    except DatabaseUnavailableError:
        return 0  # the number is for information only
    return len(draft.operations)


def root_of(request: Request) -> str:
    """Return the relative URL of ``/console/``, because a proxy may serve it under another path."""
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    return "../" * (path.count("/") - 2) or "./"


def redirect(request: Request, page: str) -> Response:
    """Return a redirect to another page.

    Args:
        request: The request.
        page: The page, relative to ``/console/``.
    """
    return Response(None, 303, {**PAGE_HEADERS, "location": root_of(request) + page})


@cache
def assets() -> Mapping[str, bytes]:
    """Return the static files by name."""
    folder = files(_PACKAGE).joinpath("static")
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.name.rpartition(".")[2] in STATIC_TYPES}


@cache
def asset_version() -> str:
    """Return the digest that identifies the version of the static files."""
    return sha256(b"".join(content for _, content in sorted(assets().items()))).hexdigest()[:16]


def compile_template(name: str) -> Template:
    """Return a template, which is compiled when it is asked for first.

    Args:
        name: The name of the template, without ``.html``.
    """
    return _environment().get_template(f"{name}.html")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(_PACKAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= showing.FILTERS
    environment.tests["no_value"] = lambda value: value is NO_VALUE
    return environment
