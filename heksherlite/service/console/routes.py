"""The routes of the console: errors are pages as well, and a person who is not logged in is redirected to the login."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response

from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.api.bodies import BodyError
from heksherlite.service.api.people import LoginRequiredError
from heksherlite.service.api.responses import respond_to_unavailable, status_of
from heksherlite.service.api.routes import ServiceRoute
from heksherlite.service.console.bar import query_of_context
from heksherlite.service.console.rendering import redirect, render
from heksherlite.service.errors import DatabaseUnavailableError, RequestError
from heksherlite.service.pages.rendering import PAGE_HEADERS
from heksherlite.service.pages.wording import words_of


class ConsoleRoute(ServiceRoute):
    """A route of a page of the console."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the usual handler, wrapped in one that responds to errors with pages."""
        handle = super().get_route_handler()

        async def handle_page(request: Request) -> Response:
            try:
                if request.method in {"GET", "HEAD"} and (query := query_of_context(request)) is not None:
                    return Response(None, 303, {**PAGE_HEADERS, "location": query})
                return await handle(request)
            except LoginRequiredError:
                return redirect(request, f"../f/login?next={quote(_page(request), safe='')}")
            except AccessDeniedError as denied:
                lacks = denied.needed_scope is not None
                return await problem(request, denied.status, denied.detail, denied.headers, lacks_rights=lacks)
            except (RequestError, BodyError) as error:
                status = error.status if isinstance(error, BodyError) else status_of(error)
                return await problem(request, status, words_of(error))
            except DatabaseUnavailableError as error:
                response = await respond_to_unavailable(request, error)
                retry = {"retry-after": response.headers["retry-after"]}
                return await problem(request, response.status_code, bytes(response.body).decode(), retry)

        return handle_page


class ConsoleOperationsRoute(ConsoleRoute):
    """A route of the console whose body may be a file, or a list of operations."""

    takes_operations = True


class ConsoleStreamRoute(ConsoleRoute):
    """A route of the console whose responses have no end."""

    is_stream = True


async def problem(
    request: Request, status: int, text: str, headers: Mapping[str, str] | None = None, *, lacks_rights: bool = False
) -> Response:
    """Return a page that describes a problem."""
    return await render(request, "problem", status=status, headers=headers, text=text, lacks_rights=lacks_rights)


def _page(request: Request) -> str:
    """Return the requested page, relative to ``/f/``. After a form was sent, it is the start page."""
    if request.method != "GET":
        return "../console/"
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    query = request.url.query
    return f"..{path}" + (f"?{query}" if query else "")
