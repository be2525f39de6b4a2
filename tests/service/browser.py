"""A minimal browser: it follows links and redirects, keeps cookies, and submits the forms of a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from typing import Self, TypeAlias
from urllib.parse import urljoin

import httpx

Entered: TypeAlias = str | Sequence[str] | None
"""What a field is changed to; None leaves it out."""


@dataclass
class Form:
    """A form as it stands on a page.

    Attributes:
        action: Where it goes, as an absolute URL.
        method: How.
        values: What it would send: names and values of all fields that have one, in order.
        offered: The values of each set of checkboxes, ticked or not.
        buttons: The values of its buttons by name.
    """

    action: str
    method: str
    values: list[tuple[str, str]] = field(default_factory=list)
    offered: dict[str, list[str]] = field(default_factory=dict)
    buttons: dict[str, list[str]] = field(default_factory=dict)

    def value(self, name: str) -> str:
        """Return the only value of a field."""
        (value,) = self.chosen(name)
        return value

    def chosen(self, name: str) -> list[str]:
        """Return all values of a field."""
        return [value for known, value in self.values if known == name]

    def filled_in(self, changes: Mapping[str, Entered]) -> list[tuple[str, str]]:
        """Return what the form would submit after some changes."""
        values = [(name, value) for name, value in self.values if name not in changes]
        for name, changed in changes.items():
            given = [] if changed is None else [changed] if isinstance(changed, str) else changed
            values += [(name, value) for value in given]
        return values


class Page(HTMLParser):
    """The contents of a page, as a person or a screen reader finds them."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.response = response
        self.url = str(response.url)
        self.status = response.status_code
        self.forms: list[Form] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[str] = []
        self.labels: set[str | None] = set()
        self._fields: list[tuple[str, bool]] = []
        self._texts: list[str] = []
        self._open: list[str] = []
        self.feed(response.text)

    @property
    def text(self) -> str:
        """The readable text of the page, with single spaces."""
        return " ".join(" ".join(self._texts).split())

    @property
    def unlabelled(self) -> list[str]:
        """The names of the fields without a label."""
        return [name for name, labelled in self._fields if not labelled and name not in self.labels]

    def form(self, action: str) -> Form:
        """Return the only form that goes to a page."""
        (form,) = [form for form in self.forms if httpx.URL(form.action).path == action]
        return form

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        self._open.append(tag)
        name, value = attributes.get("name"), attributes.get("value") or ""
        if tag == "form":
            action = urljoin(self.url, attributes.get("action") or self.url)
            self.forms.append(Form(action, attributes.get("method") or "get"))
        elif tag == "label":
            self.labels.add(attributes.get("for"))
        elif tag == "button" and name:
            self.forms[-1].buttons.setdefault(name, []).append(value)
        elif tag == "input" and name and self.forms:
            checkbox = attributes.get("type") in {"checkbox", "radio"}
            if attributes.get("type") != "hidden":
                self._fields.append((attributes.get("id") or name, "label" in self._open))
            if checkbox:
                self.forms[-1].offered.setdefault(name, []).append(value)
            if not checkbox or "checked" in attributes:
                self.forms[-1].values.append((name, value))
        elif tag in {"select", "textarea"} and name:
            self._fields.append((attributes.get("id") or name, "label" in self._open[:-1]))
            self.forms[-1].values.append((name, ""))
        elif tag == "option" and self.forms and "select" in self._open:
            self._note_option(attributes)

    def _note_option(self, attributes: dict[str, str | None]) -> None:
        values = self.forms[-1].values
        if "selected" in attributes and "value" in attributes:
            values[-1] = (values[-1][0], attributes["value"] or "")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "textarea":
            values = self.forms[-1].values
            values[-1] = (values[-1][0], data.removeprefix("\n"))
            return
        if "title" not in self._open:
            self._texts.append(data)
        if self._open and self._open[-1] in {"h1", "h2", "legend"}:
            self.headings.append(data.strip())


class Browser:
    """A browser.

    Args:
        url: The service.
        headers: Sent with each request, as a proxy may add them.
    """

    def __init__(self, url: str, headers: dict[str, str] | None = None) -> None:
        self.http = httpx.Client(base_url=url, headers=headers, follow_redirects=True, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    def open(self, path: str) -> Page:
        """Open a page."""
        return Page(self.http.get(path))

    def send(
        self,
        form: Form,
        entered: Mapping[str, Entered] | None = None,
        *,
        headers: dict[str, str] | None = None,
        **more: Entered,
    ) -> Page:
        """Send a form, after some changes."""
        data: dict[str, list[str]] = {}
        for name, value in form.filled_in({**(entered or {}), **more}):
            data.setdefault(name, []).append(value)
        return Page(self.http.request(form.method.upper(), form.action, data=data, headers=headers))

    def log_in(self, token: str, path: str = "/f/device") -> Page:
        """Open a page that needs an operator, and log in."""
        return self.send(self.open(path).form("/f/login"), token=token)
