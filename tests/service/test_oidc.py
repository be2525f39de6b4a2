"""People log in at an identity provider, which is a process of its own."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from heksherlite.cli.commands import heksherlite
from heksherlite.secret import Secret
from heksherlite.service import AccessOptions, embedded
from heksherlite.service.domain.identity_providers import IdentityProvider, UnidentifiedPersonError
from heksherlite.service.domain.tokens import FULL_ACCESS, Access, Scope
from tests.service import identity_provider
from tests.service.browser import Browser, Page
from tests.service.identity_provider import BOB, CLIENT_ID, CLIENT_SECRET, Provider
from tests.service.stores import run_sql
from tests.service.tokens import make_token

SESSIONS = "/f/sessions"
GROUPS = {
    "admins": FULL_ACCESS,
    "shop": Access(frozenset({Scope.READ, Scope.WRITE}), "shop."),
    "staff": Access(frozenset({Scope.READ})),
}


def options(issuer: str, secret: str = CLIENT_SECRET) -> AccessOptions:
    provider = IdentityProvider(issuer=issuer, client_id=CLIENT_ID, client_secret=Secret(secret), groups=GROUPS)
    return AccessOptions(auth="tokens", identity_provider=provider)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with identity_provider.running() as running:
        yield running


@pytest.fixture(scope="module")
def url(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("oidc") / "a.db", access=options(provider.issuer)) as service:
        yield service.url


@pytest.fixture
def browser(url: str) -> Iterator[Browser]:
    with Browser(url) as browser:
        browser.http.follow_redirects = False
        yield browser


def begin(browser: Browser, page: str = SESSIONS) -> str:
    """Follow the link on the login page, and return where the service leads the browser."""
    browser.http.follow_redirects = True
    login = browser.open(page)
    browser.http.follow_redirects = False
    assert login.headings == ["Log in", "Or log in with a token"]
    (link,) = [
        attributes["href"] for tag, attributes in login.tags if tag == "a" and "oidc" in (attributes["href"] or "")
    ]
    response = browser.http.get(httpx.URL(login.url).join(link or ""))
    assert response.status_code == 303
    return str(response.headers["location"])


def end(browser: Browser, location: str) -> Page:
    return Page(browser.http.get(location))


@pytest.mark.parametrize(
    ("person", "shown"),
    [("alice@example.com", "Scopes read"), (BOB, "shop.")],
)
def test_a_person_logs_in_with_the_rights_of_the_first_group(
    provider: Provider, browser: Browser, person: str, shown: str
) -> None:
    """The login leads back to the page that was asked for, and the group decides what the person may do there."""
    answer = end(browser, provider.log_in(begin(browser), person))
    assert (answer.status, answer.response.headers["location"]) == (303, "../sessions")
    page = browser.open(SESSIONS)
    assert person in page.text
    assert shown in page.text
    assert browser.open("/f/device").status == (200 if person.startswith("alice") else 403)


@pytest.mark.parametrize(
    ("person", "problem"),
    [
        ("mallory@example.com", "has not verified the e-mail address 'alice@example.com'"),
        ("eve@example.com", "Eve@example.com is in none of the groups that may use this service"),
        ("nobody", "sent no name in the claim 'email'"),
    ],
)
def test_who_may_not_use_the_service_does_not_log_in(
    provider: Provider, browser: Browser, person: str, problem: str
) -> None:
    """The page says why, and offers to log in with a token."""
    page = end(browser, provider.log_in(begin(browser), person))
    assert (page.status, page.headings[0]) == (403, "Log in")
    assert problem in page.text
    assert browser.http.get(SESSIONS).status_code == 303


def test_a_login_ends_in_the_browser_in_which_it_began(provider: Provider, browser: Browser, url: str) -> None:
    """A link with somebody else's code logs nobody in, and a code works once."""
    location = provider.log_in(begin(browser), BOB)
    with Browser(url) as victim:
        victim.open(SESSIONS)
        page = end(victim, location)
        assert (page.status, page.headings[0]) == (400, "Log in")
        assert "started in another browser" in page.text
    assert end(browser, location).status == 303
    page = end(browser, location)
    assert page.status == 400


def test_a_changed_response_logs_nobody_in(provider: Provider, browser: Browser) -> None:
    """A code of another login has another nonce and verifier; another issuer or a refusal is told."""
    own, other = begin(browser), begin(browser)
    first, second = (httpx.URL(provider.log_in(each, BOB)) for each in (own, other))
    page = end(browser, str(first.copy_set_param("code", second.params["code"])))
    assert (page.status, "the code verifier is wrong" in page.text) == (403, True)
    page = end(browser, str(first.copy_set_param("iss", "https://evil.example")))
    assert (page.status, "comes from another identity provider" in page.text) == (403, True)
    begun = httpx.URL(begin(browser))
    # The provider forgets the state, which it must repeat.
    denied = httpx.URL(provider.deny(str(begun))).copy_set_param("state", begun.params["state"])
    page = end(browser, str(denied))
    assert (page.status, "refused the login: access_denied" in page.text) == (403, True)


def test_a_wrong_client_secret_is_told(provider: Provider, tmp_path: Path) -> None:
    """The page repeats the reason of the provider, and not the secret."""
    access = options(provider.issuer, "wrong-secret")
    with embedded(tmp_path / "a.db", access=access) as service, Browser(service.url) as browser:
        page = end(browser, provider.log_in(begin(browser), BOB))
        assert (page.status, "invalid_grant: the client secret is wrong" in page.text) == (403, True)
        assert "wrong-secret" not in page.response.text


def test_while_the_provider_is_away(tmp_path: Path) -> None:
    """The service starts, the page says so, and tokens log in; afterwards the login works."""
    with identity_provider.running() as provider:
        provider.stop()
        database = tmp_path / "a.db"
        token = make_token(database, "reader", Scope.READ)
        with embedded(database, access=options(provider.issuer)) as service, Browser(service.url) as browser:
            page = browser.open("/f/oidc/login?next=sessions")
            assert (page.status, page.headings[0]) == (503, "Log in")
            assert f"cannot be reached: {provider.issuer}/.well-known/openid-configuration: " in page.text.replace(
                "DiscoveryError: ", ""
            )
            assert page.response.headers["retry-after"] == "5"
            assert "reader" in browser.send(page.form("/f/login"), token=token).text


def test_discovery_is_cached(provider: Provider, tmp_path: Path) -> None:
    """People are sent to a provider that was known before; the end of the login says that it is away."""
    with identity_provider.running() as other:
        database = tmp_path / "a.db"
        with embedded(database, access=options(other.issuer)) as service, Browser(service.url) as browser:
            location = other.log_in(begin(browser), BOB)
            other.stop()
            assert begin(browser).startswith(other.issuer)
            page = end(browser, location)
            assert (page.status, "cannot be reached" in page.text) == (503, True)
            assert run_sql(f"sqlite:///{database}", "SELECT * FROM sessions") == []
    assert provider.issuer != other.issuer


def test_claims_that_name_nobody() -> None:
    """Names are texts of a usual length, and a person without a group gets nothing but what everybody gets."""
    known = IdentityProvider(issuer="https://x", client_id="x", groups={"*": FULL_ACCESS}, name_claim="sub")
    assert known.identify({"sub": "jane", "groups": {"odd": 1}}) == ("jane", FULL_ACCESS)
    assert known.is_complete({"sub": "jane"})
    for name in (None, 5, " ", "a\nb", "x" * 400):
        with pytest.raises(UnidentifiedPersonError, match="'sub'"):
            known.identify({"sub": name})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--oidc-issuer", "http://login.example"], "expected an https:// URL"),
        (["--oidc-issuer", "https://login.example"], "--oidc-issuer requires --oidc-client-id"),
        (["--oidc-issuer", "https://login.example", "--oidc-client-id", "x"], "--oidc-issuer requires --oidc-group"),
        (["--oidc-group", "a", "all"], "require --oidc-issuer"),
        (["--oidc-group", "a", "reed"], "'reed' is not a scope; expected 'all', or some of read,"),
        (
            [
                *[
                    "--oidc-issuer",
                    "https://x",
                    "--oidc-client-id",
                    "x",
                    "--oidc-group",
                    "a",
                    "all",
                    "--oidc-group-prefix",
                    "b",
                    "x.",
                ]
            ],
            "--oidc-group-prefix b requires --oidc-group b",
        ),
    ],
)
def test_contradicting_options_are_refused(arguments: list[str], message: str) -> None:
    """The command says what is missing or wrong, and what would be right."""
    result = CliRunner().invoke(heksherlite, ["serve", *arguments])
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
