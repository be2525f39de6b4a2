"""The list of pages that other tests visit has every page."""

from tests.console.pages import NO_PAGES, Examples, addresses, page_routes, route_of
from tests.service.routes import all_calls


def test_no_page_is_forgotten() -> None:
    """Each route of the console and of the approvals is in the list, and each address leads to its route."""
    pages = addresses(Examples(1, 1, 1, 1, 1, "ABCD"))
    assert set(pages) == page_routes()
    assert {call.path for call in all_calls()} >= NO_PAGES
    for route, paths in pages.items():
        assert paths
        assert {route_of("GET", path.partition("?")[0]) for path in paths} == {route}
