"""A walk through the console along everything that its pages offer: links, forms and buttons."""

from collections import Counter
from collections.abc import Iterable, Mapping
from html.parser import HTMLParser
from typing import Final
from urllib.parse import parse_qs, urldefrag, urljoin, urlsplit

from tests.console.pages import NO_PAGES, route_of
from tests.service.browser import Browser

_MOST_OF_A_KIND: Final = 4
"""How many addresses with the same route and parameters are opened."""


class Offers(HTMLParser):
    """What a page offers.

    Attributes:
        links: The addresses of links and of forms that only read.
        actions: The addresses to which buttons send forms.
        faults: Controls that lead nowhere.
    """

    def __init__(self, url: str, html: str) -> None:
        super().__init__()
        self._url = url
        self._form: dict[str, str | None] | None = None
        self._buttons = 0
        self._ids: set[str] = set()
        self._owners: set[str] = set()
        self.links: list[str] = []
        self.actions: set[str] = set()
        self.faults: list[str] = []
        self.feed(html)
        self.faults += [f"{url}: no form is called {each}" for each in self._owners - self._ids]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a":
            self.links.append(urljoin(self._url, given.get("href") or ""))
        elif tag == "form":
            self._form, self._buttons = given, 0
            self._ids.add(given.get("id") or "")
            if given.get("method") != "post":
                self.links.append(urljoin(self._url, given.get("action") or ""))
        elif tag == "button":
            self._note_button(given)
        elif tag in {"input", "select", "textarea"} and self._form is None:
            if given.get("form"):
                self._owners.add(str(given["form"]))
            else:
                self.faults.append(f"{self._url}: the field {given.get('name')} is in no form")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._form is not None:
            if not self._buttons:
                self.faults.append(f"{self._url}: the form to {self._form.get('action')} has no button")
            self._form = None

    def _note_button(self, given: Mapping[str, str | None]) -> None:
        self._buttons += 1
        if self._form is None:
            self.faults.append(f"{self._url}: a button is in no form")
        elif self._form.get("method") == "post" and "disabled" not in given:
            self.actions.add(urljoin(self._url, given.get("formaction") or self._form.get("action") or ""))


class Walk:
    """What a person finds.

    Attributes:
        pages: The routes of the pages that the person found by following what pages offer.
        offered: The routes to which buttons of these pages send forms.
        faults: Links that lead to errors, and controls that lead nowhere.

    Args:
        browser: The person's browser.
        start: Where the person begins.
        known: Addresses that the person looks at as well, if a page has led to their route.
    """

    def __init__(self, browser: Browser, start: Iterable[str], known: Mapping[str, Iterable[str]]) -> None:
        self._browser = browser
        self._known = known
        self._seen: set[str] = set()
        self._kinds: Counter[object] = Counter()
        self._waiting = [(str(browser.http.base_url.join(each)), "the start") for each in start]
        self.pages: set[str] = set()
        self.offered: set[str] = set()
        self.faults: list[str] = []
        while self._waiting:
            self._open(*self._waiting.pop(0))

    def _open(self, url: str, source: str) -> None:
        url = urldefrag(url)[0]
        parts = urlsplit(url)
        route = route_of("GET", parts.path)
        kind = (route, *sorted(parse_qs(parts.query, keep_blank_values=True)))
        if url in self._seen or self._kinds[kind] == _MOST_OF_A_KIND or not parts.path.startswith(("/console", "/f/")):
            return
        self._seen.add(url)
        self._kinds[kind] += 1
        response = self._browser.http.get(url)
        if response.status_code not in {200, 400} or (response.status_code == 400 and route != "/console/bulk"):
            self.faults.append(f"{source} leads to {url}, which answers {response.status_code}")
            return
        if route is None or route in NO_PAGES:
            return
        if route not in self.pages:
            self.pages.add(route)
            base = self._browser.http.base_url
            self._waiting[:0] = [(str(base.join(each)), source) for each in self._known.get(route, ())]
        self.look_at(str(response.url), response.text)

    def look_at(self, url: str, html: str) -> None:
        """Note what a page offers, and follow its links."""
        offers = Offers(url, html)
        self.faults += offers.faults
        self.offered |= {str(route_of("POST", urlsplit(each).path)) for each in offers.actions}
        self._waiting += [(each, url) for each in offers.links]
