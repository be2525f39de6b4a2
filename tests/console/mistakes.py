"""What people get to read who make every mistake that the forms of the console permit."""

import re
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urlsplit

from tests.console.pages import addresses, route_of
from tests.console.staff import Staff
from tests.service.browser import Browser, Form, Page
from tests.service.routes import all_calls

WRONG: Final = ("", "Not a name!", "2001-01-01T00:00", "a\0b")
"""What is entered into each field: nothing, and what few fields take."""

OF_THE_API: Final = re.compile(
    r"operations\[|requires (a token with )?scope|feature_values|context_feature\b|ends_at|starts_at|apply_at|dry_run"
    r"|break_glass|base_revision|Value error|Input should|should have|must match|Field required|Extra inputs"
)
"""What only those know who send requests to the API."""

_KEPT: Final = {"form_token"}

_FAULTS: Final = {"alert", "fault", "notice"}


class Faults(HTMLParser):
    """The texts of a page that say what is wrong."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._inside = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in {"p", "div", "li"}:
            if self._inside:
                self._inside += 1
            elif set((given.get("class") or "").split()) & _FAULTS:
                self._inside = 1
                self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"p", "div", "li"} and self._inside:
            self._inside -= 1

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts[-1] += data


def faults_of(page: Page) -> list[str]:
    """Return what a page says is wrong."""
    if "html" not in page.response.headers.get("content-type", ""):
        return [page.response.text]
    return [re.sub(r"\s+", " ", text).strip() for text in Faults(page.response.text).texts]


class Mistakes:
    """Somebody who makes mistakes in all forms.

    Attributes:
        said: What the pages said, with an example of what was sent.

    Args:
        staff: The service.
        browser: The browser of the person.
    """

    def __init__(self, staff: Staff, browser: Browser) -> None:
        self._staff = staff
        self._browser = browser
        self._tried: set[object] = set()
        self.said: dict[str, str] = {}

    def make_all(self) -> None:
        """Open all pages, and send each of their forms with each field wrong."""
        for path in [path for paths in addresses(self._staff.examples).values() for path in paths]:
            page = self._browser.open(path)
            self._note(page, f"GET {path}")
            for form in page.forms:
                self._send_wrongly(form, path)

    def _send_wrongly(self, form: Form, path: str) -> None:
        route = route_of(form.method.upper(), urlsplit(form.action).path) or ""
        if route in {"/f/logout", "/f/login"} or "/revoke" in route or "/f/sessions" in route:
            return
        for do in form.buttons.get("do") or [""]:
            names = {name for name, _ in form.values} | set(form.offered)
            for name in sorted(names - _KEPT):
                for wrong in WRONG:
                    key = (route, do, name, wrong)
                    if key in self._tried:
                        continue
                    self._tried.add(key)
                    entered = {name: wrong} | ({"do": do} if do else {})
                    page = self._browser.send(form, entered)
                    self._note(page, f"{form.method} {path} {route} do={do} {name}={wrong[:20]!r}")

    def trespass(self) -> None:
        """Send a form to every route that takes one, whether it is offered or not."""
        token = {"form_token": self._browser.open("/console/help").form("/console/theme").value("form_token")}
        for call in all_calls():
            if call.method == "POST" and call.path.startswith("/console/"):
                path = call.example_path("cache_ttl")
                self._note(Page(self._browser.http.post(path, data=token)), f"{call.method} {path} by itself")

    def _note(self, page: Page, how: str) -> None:
        for text in faults_of(page):
            kind = re.sub(r"'[^']*'|\d+|x{20,}.*", "#", text)
            self.said.setdefault(kind, f"{page.status} {how}")
