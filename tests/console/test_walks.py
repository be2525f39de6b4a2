"""Everybody finds the pages that they may see and the controls that they may use, and no others.

What is not offered is refused by the service too. The walks follow every link, form and button of the pages.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from heksherlite.service.domain.tokens import Scope
from tests.console.pages import addresses, page_routes
from tests.console.shop import change
from tests.console.staff import ADMIN, LIMIT, PEOPLE, PROPOSE, READ, WRITE, Person, Staff
from tests.console.walking import Walk
from tests.service.browser import Browser
from tests.service.routes import all_calls
from tests.waiting import until

BRIEF = {"viewer", "editor"}
"""The people with whom the service is tested each time; the others are for the thorough tests."""

FOR_ANYBODY = {"/f/login", "/f/logout", "/f/sessions", "/f/configure"}
"""What nobody is refused, although not everybody is led there, and the form of an address that no page links to."""


@pytest.fixture(scope="module")
def staff(empty_database: str) -> Iterator[Staff]:
    with Staff(empty_database) as staff:
        yield staff


class Permission(NamedTuple):
    """What people with certain access find below ``/console/``.

    Attributes:
        scopes: The scopes of which a person needs one, each time.
        paths: What the person finds.
        everything: Whether the person must not be limited to some settings.
        ways: How the service must know the person.
    """

    scopes: tuple[set[Scope], ...]
    paths: str
    everything: bool = False
    ways: frozenset[str] = frozenset({"token", "proxy", "none"})

    def is_given_to(self, person: Person) -> bool:
        """Tell whether a person has it."""
        has_scopes = all(each & person.scopes for each in self.scopes)
        return has_scopes and not (self.everything and person.setting_prefix) and person.way in self.ways


READS, PROPOSES, DECIDES = {READ}, {PROPOSE, WRITE}, {WRITE, ADMIN}
EDITS, MANAGES = {PROPOSE, WRITE, ADMIN}, {ADMIN}
LOGGED_IN, BY_TOKEN = frozenset({"token", "proxy"}), frozenset({"token"})

PAGES = (
    Permission((), "help"),
    Permission(
        (READS,),
        " settings/{name} settings/{name}/value explain compare compare/contexts compare/file features service",
    ),
    Permission((READS,), "history history/{revision}", everything=True),
    Permission(({READ, PROPOSE, WRITE},), "proposals proposals/{number}"),
    Permission((EDITS,), "draft"),
    Permission((READS, PROPOSES), "settings/{name}/edit settings/{name}/default"),
    Permission((READS, EDITS), "bulk"),
    Permission((MANAGES,), "access", everything=True, ways=LOGGED_IN),
    Permission((), "../f/sessions"),
    Permission((MANAGES,), "../f/device ../f/configure/", everything=True),
)
"""The pages that people find, as the specification says."""

SETTING, TOKENS, APPLICATIONS = "settings/{name}", "access/tokens", "access/applications"

ACTIONS = (
    Permission((), "theme"),
    Permission((READS,), "compare/file compare/file/plan"),
    Permission((EDITS,), "draft/import draft/discard draft/rebase"),
    Permission((READS, EDITS), "history/{revision}/undo", everything=True),
    Permission((DECIDES,), "draft/save proposals/{number}/approve"),
    Permission((PROPOSES,), "draft/propose proposals/{number}/comments proposals/{number}/withdraw"),
    Permission((READS, PROPOSES), f"compare compare/contexts compare/file/copy {SETTING}/edit {SETTING}/default"),
    Permission((READS, PROPOSES), f"{SETTING}/clear-default {SETTING}/delete-rule"),
    Permission((READS, EDITS), "bulk"),
    Permission(({WRITE},), "proposals/{number}/reject"),
    Permission((READS, MANAGES), f"{SETTING}/protect {SETTING}/client-visible"),
    Permission((MANAGES,), "features history/{revision}/revert", everything=True),
    Permission((MANAGES,), f"{TOKENS} {TOKENS}/revoke access/groups access/secrets", everything=True, ways=LOGGED_IN),
    Permission(
        (MANAGES,),
        f"{APPLICATIONS} {APPLICATIONS}/revoke {APPLICATIONS}/register access/signing-key",
        everything=True,
        ways=LOGGED_IN,
    ),
    Permission(
        (MANAGES,),
        f"{APPLICATIONS}/expire {APPLICATIONS}/rotate {APPLICATIONS}/groups",
        everything=True,
        ways=LOGGED_IN,
    ),
    Permission((), "../f/logout ../f/sessions", ways=BY_TOKEN),
    Permission((MANAGES,), "../f/device ../f/configure/ ../f/sessions", everything=True),
)
"""Where the buttons of the pages send forms, as the specification says."""


def given(permissions: tuple[Permission, ...], person: Person) -> set[str]:
    """Return the paths that a person finds."""
    paths = [path for each in permissions if each.is_given_to(person) for path in each.paths.split(" ")]
    if person.way == "proxy" and ADMIN not in person.scopes:
        paths.append("../f/login")  # with a token that allows more
    return {f"/console/{path}".replace("/console/..", "") for path in paths}


def walk(staff: Staff, name: str, browser: Browser) -> Walk:
    """Let a person with a draft and a proposal look at everything that the pages offer."""
    person = PEOPLE[name]
    foreign = ("cache_ttl", "mail.", f"proposals/{staff.examples.administration}")
    known = {
        route: [path for path in paths if not (person.setting_prefix and any(each in path for each in foreign))]
        for route, paths in addresses(staff.examples).items()
    }
    start = ["/console/" if READ in person.scopes else "/console/help", "/f/sessions"]
    if ADMIN in person.scopes and not person.setting_prefix:
        start += known["/f/configure/"]
    mine = {"user": name}
    edit: dict[str, object] = {"op": "put_rule", "setting": f"{LIMIT}page_size", "feature_values": mine, "value": 5}
    if not person.scopes & {PROPOSE, WRITE}:
        edit = {"op": "set_configurable_features", "setting": "mail.sender", "configurable_features": ["environment"]}
    if person.scopes & {PROPOSE, WRITE}:
        start.append(staff.propose(browser, {**edit, "value": 4}))
    if person.scopes & {PROPOSE, WRITE, ADMIN}:
        staff.draft(browser, edit)
    found = Walk(browser, start, known)
    if person.scopes & {PROPOSE, WRITE, ADMIN}:
        overtaking = {**edit, "value": 6} if "value" in edit else {**edit, "configurable_features": ["user"]}
        change(staff.api, "somebody was quicker", overtaking)
        until(lambda: "draft/rebase" in browser.http.get("/console/draft").text)  # the other service polls
        found.look_at(*_page(browser, "/console/draft"))
    if READ in person.scopes:
        page = browser.open("/console/compare/file")
        compared = browser.send(page.form("/console/compare/file"), export=staff.export)
        found.look_at(compared.url, compared.response.text)
    return found


def _page(browser: Browser, path: str) -> tuple[str, str]:
    response = browser.http.get(path)
    return str(response.url), response.text


def people() -> list[object]:
    """Return the people, of whom some are for the thorough tests."""
    return [name if name in BRIEF else pytest.param(name, marks=pytest.mark.thorough) for name in PEOPLE]


@pytest.mark.parametrize("name", people())
def test_everybody_finds_what_they_may_use_and_nothing_else(staff: Staff, name: str) -> None:
    """Every page and every control of the person is found, none leads to an error, and all others are refused."""
    person = PEOPLE[name]
    with staff.browser(name) as browser:
        found = walk(staff, name, browser)
        assert found.faults == []
        assert found.pages == given(PAGES, person)
        assert found.offered == given(ACTIONS, person)
        token = {"form_token": browser.open("/console/help").form("/console/theme").value("form_token")}
        state = staff.api.state()
        accepted = []
        for call in all_calls():
            path = call.example_path(f"{LIMIT}methods")
            if call.method == "GET" and call.path in page_routes() - given(PAGES, person) - FOR_ANYBODY:
                response = browser.http.get(path, follow_redirects=False)
            elif (
                call.method == "POST" and call.required.person and call.path not in given(ACTIONS, person) | FOR_ANYBODY
            ):
                response = browser.http.post(path, data=token, follow_redirects=False)
            else:
                continue
            if response.status_code != 403:
                accepted.append((call.method, path, response.status_code))
        assert accepted == []
        assert staff.api.state() == state
