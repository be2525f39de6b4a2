"""The documentation of the API in a real browser: after a login, without anything from elsewhere."""

from pathlib import Path

import pytest

from heksherlite.service import Scope, embedded
from tests.service.tokens import WITH_TOKENS, make_token
from tests.service.visits import running_chromium

pytestmark = pytest.mark.thorough


def test_a_person_reads_the_documentation(tmp_path: Path) -> None:
    """The page asks for a login, shows the operations, and its button "Authorize" takes a token."""
    token = make_token(tmp_path / "a.db", "jane", Scope.READ)
    with embedded(tmp_path / "a.db", access=WITH_TOKENS) as service, running_chromium() as chromium:
        page = chromium.new_page()
        requested: list[str] = []
        problems: list[str] = []
        page.on("request", lambda request: requested.append(request.url))
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.goto(f"{service.url}/docs")
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("button", name="Authorize").first.click()
        page.locator(".modal-ux input").first.fill(token)
        page.locator(".modal-ux button", has_text="Authorize").first.click()
        page.locator(".modal-ux button", has_text="Logout").first.wait_for()
        page.close()
    assert [url for url in requested if not url.startswith((service.url, "blob:", "data:"))] == []
    assert [problem for problem in problems if "Content Security Policy" in problem] == []
