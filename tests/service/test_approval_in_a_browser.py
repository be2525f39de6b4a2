"""A program requests access, a person approves it in a real browser, and the program reads its settings.

The service and the program are processes of their own, and the browser is Chromium. What a person sees is kept as
pictures in the folder ``screenshots``.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from heksherlite.service.domain.tokens import Scope
from tests.service.api import Api
from tests.service.approved_program import SECONDS, program
from tests.service.test_processes import process
from tests.service.visits import SIZES, Visit, running_chromium

pytestmark = pytest.mark.thorough

FEATURES = ("environment", "user", "theme")
SCHEMES = ("light", "dark")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Return Chromium."""
    with running_chromium() as browser:
        yield browser


def command(*arguments: str, given: str = "") -> str:
    """Run a command of the command line, and return its output."""
    run = [sys.executable, "-m", "heksherlite", *arguments]
    return subprocess.run(run, input=given, capture_output=True, text=True, check=True, timeout=SECONDS).stdout.strip()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Return the URL of a service in a process of its own, and the token of an operator."""
    database = ("--database", f"sqlite:///{tmp_path_factory.mktemp('browser')}/a.db")
    scopes = [option for scope in Scope for option in ("--scope", scope)]
    token = command("token", "create", "jane", *scopes, *database)
    command("group", "set", "database", *database, given='{"host": "db.local", "port": 5432}')
    command("group", "set", "mail", *database, given='{"host": "mail.local", "user": "shop"}')
    with process(*database, "--auth", "tokens", "--client-codes", "--context-features", ";".join(FEATURES)) as (_, api):
        yield api.url, token


def test_a_program_is_approved_and_reads_its_settings(chromium: Any, service: tuple[str, str], tmp_path: Path) -> None:
    """A new machine only needs an address and an approval. The next start needs no person."""
    url, token = service
    operator = Api(url, token=token)
    with operator.http, program(url, tmp_path) as asking:
        page = asking.line_with("/f/configure/")
        told = asking.line_with("if the page displays the code")
        visit = Visit(chromium, url, "desktop", "light")
        visit.page.goto(page)
        assert visit.heading() == "Log in"
        visit.log_in(token)
        assert visit.heading() == "Approve shop.checkout?"
        assert visit.page.get_by_label("Code", exact=True).inner_text() in told
        visit.page.get_by_label("environment").fill("prod")
        visit.page.get_by_role("checkbox", name="declare").check()
        visit.page.get_by_role("checkbox", name="mail").check()
        visit.page.get_by_label("Reason").fill("the new shop")
        visit.page.get_by_role("button", name="Approve").click()
        assert visit.heading() in {"Approved", "Configured"}
        visit.check()
        assert asking.output() == "page_size of john: 20\n"
        operator.add_rule(50, "checkout.page_size", environment="prod")
        with program(url, tmp_path) as again:
            assert again.output() == "page_size of john: 50\n"
        record = next(record for record in operator.history() if record["reason"] == "the new shop")
        assert record["author"]["name"] == "jane"


def test_a_program_is_denied(chromium: Any, service: tuple[str, str], tmp_path: Path) -> None:
    """The program ends with an error that says that it was denied."""
    url, token = service
    with program(url, tmp_path) as asking:
        page = asking.line_with("/f/configure/")
        visit = Visit(chromium, url, "phone", "dark")
        visit.page.goto(page)
        visit.log_in(token)
        visit.page.get_by_label("Reason").press("Enter")  # which decides nothing
        assert visit.heading() == "Approve shop.checkout?"
        visit.page.get_by_role("button", name="Deny").click()
        assert visit.heading() == "Denied"
        visit.picture("denied")
        visit.check()
        assert asking.line_with("access was denied")
        assert asking.running.wait(SECONDS) == 1


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES)
def test_pages_fit_the_screen(chromium: Any, service: tuple[str, str], size: str, scheme: str) -> None:
    """On a phone and on a desktop, by day and by night, nothing overflows, and buttons are large enough."""
    url, token = service
    manifest = {
        "identifier": f"shop.checkout.{size}.{scheme}",
        "version": "1.2",
        "scopes": ["read", "declare", "write", "openid"],
        "image": f"https://shop.example/{'long' * 40}.png",
    }
    code = httpx.post(f"{url}/f/start/", json={"manifest": manifest}).json()["code"]
    visit = Visit(chromium, url, size, scheme)
    visit.page.goto(f"{url}/f/device")
    visit.picture("login")
    visit.log_in("wrong")
    assert "Malformed token; expected hkl_" in visit.page.get_by_role("alert").inner_text()
    visit.picture("login-failed")
    visit.log_in(token)
    visit.picture("device")
    visit.page.get_by_label("Code").fill("no-such-code")
    visit.page.get_by_role("button", name="Continue").click()
    assert "This code does not exist" in visit.page.get_by_role("alert").inner_text()
    visit.picture("device-unknown")
    visit.page.get_by_label("Code").fill(code.lower())
    visit.page.get_by_label("Code").press("Enter")
    assert visit.heading() == f"Approve {manifest['identifier']}?"
    visit.picture("configure")
    for button in visit.page.get_by_role("button").all():
        assert button.bounding_box()["height"] >= 44
    visit.page.get_by_label("environment").fill("not a value")
    visit.page.get_by_role("button", name="Approve").click()
    assert "is not a value" in visit.page.get_by_role("alert").inner_text()
    visit.picture("configure-refused")
    visit.page.get_by_label("environment").fill("prod")
    visit.page.get_by_role("button", name="Approve").click()
    assert visit.heading() == "Approved"
    visit.picture("approved")
    visit.page.get_by_role("button", name="Log out").click()
    assert visit.heading() == "Log in"
    visit.check()


def test_a_client_that_chooses_its_code_is_marked(chromium: Any, service: tuple[str, str]) -> None:
    """Markup in the URL of the page is displayed as text and not executed."""
    url, token = service
    visit = Visit(chromium, url, "phone", "light")
    evil = "<img/src=x/onerror=alert(1)><script>alert(1)</script>"
    query = {"device_code": "0a1b2c", "grant": "device_code", "identifier": evil, "version": "1", "scope": "read"}
    visit.page.on("dialog", lambda dialog: visit.complaints.append(dialog.message))
    visit.page.goto(str(httpx.URL(f"{url}/f/configure/", params=query)))
    visit.log_in(token)
    assert visit.heading() == f"Approve {evil}?"
    assert "chose this code itself" in visit.page.inner_text("main")
    visit.picture("configure-client-code")
    visit.check()
