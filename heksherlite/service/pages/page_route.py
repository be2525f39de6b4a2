"""The routes of the pages: errors are pages as well, and a person who is not logged in is redirected to the login."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response

from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.api.bodies import BodyError
from heksherlite.service.api.denials import note_denial
from heksherlite.service.api.people import LoginRequiredError
from heksherlite.service.api.responses import respond_to_unavailable, status_of
from heksherlite.service.api.routes import ServiceRoute
from heksherlite.service.errors import DatabaseUnavailableError, RequestError
from heksherlite.service.pages.rendering import PAGES, local_path, redirect, render
from heksherlite.service.pages.wording import words_of


class PageRoute(ServiceRoute):
    """A route of a page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the usual handler, wrapped in one that responds to errors with pages."""
        handle = super().get_route_handler()

        async def handle_page(request: Request) -> Response:
            try:
                return await handle(request)
            except LoginRequiredError:
                return redirect(request, f"login?next={quote(_page(request), safe='')}")
            except AccessDeniedError as denied:
                return problem(request, denied.status, denied.detail, denied.headers)
            except (RequestError, BodyError) as error:
                status = error.status if isinstance(error, BodyError) else status_of(error)
                return problem(request, status, words_of(error))
            except DatabaseUnavailableError as error:
                response = await respond_to_unavailable(request, error)
                retry = {"retry-after": response.headers["retry-after"]}
                return problem(request, response.status_code, bytes(response.body).decode(), retry)

        return handle_page


def problem(request: Request, status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a page that describes a problem."""
    note_denial(request.scope, text)
    return render(request, "problem", status=status, headers=headers, text=text)


def _page(request: Request) -> str:
    """Return the requested page, relative to ``/f/``."""
    path = local_path(request)
    page = path.removeprefix(PAGES) if path.startswith(PAGES) else ".." + path
    return page + (f"?{request.url.query}" if request.url.query else "")
