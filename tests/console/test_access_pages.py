"""Tokens, applications, groups and secrets in the console, and the state of the service."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from heksherlite.service import embedded
from heksherlite.service.domain.tokens import Scope
from tests.console.shop import FEATURES
from tests.service.api import Api
from tests.service.browser import Browser, Form, Page
from tests.service.tokens import EVERY_SCOPE, WITH_TOKENS, make_token


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Return a browser in which an operator is logged in."""
    path = tmp_path_factory.mktemp("access") / "a.db"
    token = make_token(path, "jane", *EVERY_SCOPE)
    with embedded(path, access=WITH_TOKENS, context_features=FEATURES) as service, Browser(service.url) as browser:
        browser.log_in(token, "/console/access")
        yield browser


def form_to(page: Page, action: str, **known: str) -> Form:
    """Return the form of a page that goes to an address below ``/console/access/``, with some hidden values."""
    return next(
        form
        for form in page.forms
        if httpx.URL(form.action).path == f"/console/access/{action}"
        and all(form.chosen(name) == [value] for name, value in known.items())
    )


def test_a_token_is_created_shown_once_and_revoked(operator: Browser) -> None:
    """The new token has what was chosen, and works until it is revoked."""
    page = operator.open("/console/access")
    page = operator.send(
        form_to(page, "tokens"), name="ci", scope=["read", "declare"], setting_prefix="shop.", days="7"
    )
    found = re.search(r"hkl_[0-9a-f]{8}_\S{43}", page.text)
    assert found is not None
    api = Api(str(operator.http.base_url), token=found[0])
    with api.http:
        assert api.declare("shop.size").status_code == 200
        assert api.declare("other").status_code == 403
        page = operator.open("/console/access")
        assert found[0] not in page.text
        assert "read, declare shop.…" in page.text
        operator.send(form_to(page, "tokens/revoke", token=found[0][:12]))
        assert api.get("settings").status_code == 401


@pytest.mark.parametrize(
    ("entered", "text"),
    [
        ({"name": "a b"}, "is not a name for a token"),
        ({"name": "x", "scope": None}, "The field 'scopes' is empty"),
        ({"name": "y", "scope": ["root"]}, "The field 'scopes' is not one of those that the form offers"),
    ],
)
def test_a_wrong_token_is_refused(operator: Browser, entered: dict[str, str | list[str] | None], text: str) -> None:
    """What is wrong is said, and no token is made."""
    page = operator.send(form_to(operator.open("/console/access"), "tokens"), entered)
    assert page.status == 422
    assert text in page.text
    assert "hkl_" not in page.text.partition("Scopes Settings Expires")[0]


def test_an_application_is_invited_and_revoked(operator: Browser) -> None:
    """Its one-time token is shown once, and it is gone after it was revoked."""
    page = operator.open("/console/access")
    page = operator.send(form_to(page, "applications"), identifier="shop.checkout", scope=["read"])
    assert "One-time token" in page.text
    page = operator.open("/console/access")
    assert "shop.checkout" in page.text
    number = next(form.value("application") for form in page.forms if form.chosen("application"))
    operator.send(form_to(page, "applications/revoke", application=number))
    assert number not in [
        form.value("application") for form in operator.open("/console/access").forms if form.chosen("application")
    ]


def test_credentials_are_replaced_and_expire(operator: Browser) -> None:
    """The new credentials are shown once, and the page tells until when the previous ones and the new ones work."""
    invited = operator.send(
        form_to(operator.open("/console/access"), "applications"), identifier="shop.rotated", scope=["read"]
    )
    found = re.search(r"hki_([0-9a-f]{8})_\S{43}", invited.text)
    assert found is not None
    body = {"manifest": {"identifier": "shop.rotated", "version": "1"}, "token": found[0]}
    claim_token = operator.http.post("/f/redeem/", json=body).json()["token"]
    page = operator.open("/console/access")
    page = operator.send(form_to(page, "applications/rotate"), application=found[1], overlap="1", days="30")
    new = re.search(r"hkc_[0-9a-f]{8}_[\w-]{43}", page.text)
    assert new is not None
    assert claim_token != new[0]
    for token in (claim_token, new[0]):
        assert operator.http.post("/f/claim/", json={"token": token}).json()["status"] == "granted"
    page = operator.open("/console/access")
    assert "the previous credentials" in page.text
    assert new[0] not in page.text
    operator.send(form_to(page, "applications/expire"), application=found[1], days="")
    assert "expires_at" not in operator.http.post("/f/claim/", json={"token": new[0]}).json()
    for changed in ({"days": "2"}, {"overlap": "x"}):
        page = operator.send(form_to(page, "applications/rotate"), {"application": found[1], "days": "", **changed})
        assert (page.status, "that the form offers" in page.text) == (400, True)
        page = operator.open("/console/access")
    operator.send(form_to(page, "applications/revoke", application=found[1]))


def test_a_public_application_is_registered(operator: Browser) -> None:
    """Every program that claims to be it gets the same token; powerful scopes must be confirmed."""
    page = operator.open("/console/access")
    form = form_to(page, "applications/register")
    entered = {"public_identifier": "shop.website", "redirect_uri": "https://shop.example/"}
    refused = operator.send(form, {**entered, "scope": ["read", "write"]})
    assert (refused.status, "would get the scope write; choose less" in refused.text) == (422, True)
    assert form_to(refused, "applications/register").value("public_identifier") == "shop.website"
    body = {"manifest": {"identifier": "shop.website", "version": "1"}, "redirect_uri": "https://shop.example/"}
    assert operator.http.post("/f/retrieve/", json=body).json()["status"] == "error"
    operator.send(form, {**entered, "scope": ["read", "write"], "force": "yes"})
    tokens = {operator.http.post("/f/retrieve/", json=body).json()["token"] for _ in range(2)}
    assert len(tokens) == 1
    elsewhere = {**body, "redirect_uri": "https://evil.example/"}
    assert operator.http.post("/f/retrieve/", json=elsewhere).json()["status"] == "error"
    again = operator.send(form, entered)
    assert (again.status, "is registered already; revoke it first" in again.text) == (422, True)
    page = operator.open("/console/access")
    number = re.search(r"shop\.website ([0-9a-f]{8}) public", page.text)
    assert number is not None
    operator.send(form_to(page, "applications/revoke", application=number[1]))


@pytest.mark.parametrize("at_once", ["", "yes"])
def test_the_signing_key_is_replaced(operator: Browser, at_once: str) -> None:
    """It signs no more, and the audit record knows who replaced it and what became of what it had signed."""
    page = operator.send(form_to(operator.open("/console/access"), "signing-key"), at_once=at_once)
    assert "The signing key was replaced." in page.text
    page = operator.send(form_to(page, "tokens"), name=f"auditor-{at_once}", scope=["audit"])
    found = re.search(r"hkl_[0-9a-f]{8}_\S{43}", page.text)
    assert found is not None
    with Api(str(operator.http.base_url), token=found[0]).http as http:
        response = http.get("/api/v1/audit", params={"action": "signing_key.rotate", "limit": 1})
    (event,) = response.raise_for_status().json()["audit"]
    assert (event["actor"]["name"], event["details"]) == ("jane", {"at_once": bool(at_once)})


@pytest.mark.parametrize(
    ("action", "entered"),
    [
        ("applications/expire", {"application": "gone", "days": "1"}),
        ("applications/rotate", {"application": "gone", "days": "1", "overlap": "1"}),
        ("applications/groups", {"application": "gone", "group": "gone", "do": "attach"}),
        ("secrets", {"name": "a b", "value": "x"}),
    ],
)
def test_what_is_refused_is_said_on_the_page(operator: Browser, action: str, entered: dict[str, str]) -> None:
    """An application that somebody else revoked meanwhile, or a name that is none, is no error of the service."""
    token = operator.open("/console/access").form("/console/theme").value("form_token")
    page = Page(operator.http.post(f"/console/access/{action}", data={"form_token": token, **entered}))
    assert (page.status, "Access" in page.headings) == (422, True), page.text


def test_a_group_is_attached_and_detached(operator: Browser) -> None:
    """The application receives its values from then on, and not any more; a group that does not exist is refused."""
    page = operator.send(
        form_to(operator.open("/console/access"), "applications"), identifier="shop.grouped", scope=["read"]
    )
    found = re.search(r"hki_([0-9a-f]{8})_\S{43}", page.text)
    assert found is not None
    body = {"manifest": {"identifier": "shop.grouped", "version": "1"}, "token": found[0]}
    token = operator.http.post("/f/redeem/", json=body).json()["token"]
    operator.send(form_to(operator.open("/console/access"), "groups", name=""), name="host", values='{"name": "db"}')

    def facts() -> object:
        return operator.http.post("/f/claim/", json={"token": token}).json()["config"].get("host")

    form = form_to(operator.open("/console/access"), "applications/groups")
    operator.send(form, application=found[1], group="host", do="attach")
    assert facts() == {"name": "db"}
    operator.send(form, application=found[1], group="host", do="detach")
    assert facts() is None
    page = operator.send(form, application=found[1], group="unknown", do="attach")
    assert (page.status, "unknown" in page.text) == (422, True)
    operator.send(form_to(operator.open("/console/access"), "groups", name="host"), do="delete")
    operator.send(form_to(operator.open("/console/access"), "applications/revoke", application=found[1]))


def test_groups_and_secrets(operator: Browser) -> None:
    """A group refers to a secret, whose value is never shown."""
    page = operator.open("/console/access")
    operator.send(form_to(page, "secrets"), name="db", value="s3cr3t-value")
    operator.send(
        form_to(page, "groups", name=""), name="database", values='{"host": "db", "password": {"$secret": "db"}}'
    )
    page = operator.open("/console/access")
    assert "database" in page.text
    assert "s3cr3t-value" not in operator.http.get("/console/access").text
    page = operator.send(form_to(page, "groups", name=""), name="broken", values="{")
    assert (page.status, "This is not JSON" in page.text) == (422, True)
    page = operator.open("/console/access")
    operator.send(form_to(page, "groups", name="database"), do="delete")
    operator.send(form_to(operator.open("/console/access"), "secrets", name="db"), do="delete")
    assert "Configuration groups 0" in operator.open("/console/access").text
    assert "Secrets 0" in operator.open("/console/access").text


def test_without_tokens_nobody_manages_access(browser: Browser) -> None:
    """Everybody could create tokens for later, so the page says to use the command line."""
    page = browser.open("/console/access")
    assert (page.status, "use the command line" in page.text) == (403, True)
    assert "Access" not in browser.open("/console/").text


def test_the_service_tells_how_it_is(api: Api, browser: Browser) -> None:
    """Version, revision, sizes and limits in words."""
    api.declare()
    text = browser.open("/console/service").text
    assert "The database is reachable, and this process is up to date." in text
    assert f"Revision {api.revision()}" in text
    assert "Max rules 1,000,000" in text
    assert re.search(r"Responses [\d,]+ on average after [\d.]+ ms", text)
    assert "Replicas" in text
    if "PostgreSQL, any number" not in text:
        assert re.search(r"process \d+ this process \S+ (local socket|127.0.0.1|::1) [1-9]", text)


def test_the_location_of_the_database_is_for_operators(tmp_path: Path) -> None:
    """Viewers do not see paths of the machine."""
    token = make_token(tmp_path / "a.db", "viewer", Scope.READ)
    with embedded(tmp_path / "a.db", access=WITH_TOKENS) as service, Browser(service.url) as browser:
        browser.log_in(token, "/console/service")
        assert "a.db" not in browser.open("/console/service").text
