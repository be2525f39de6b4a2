"""A second pair of eyes is somebody else's, however somebody tries to be both."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from pathlib import Path

import pytest

from heksherlite.admin import (
    AccessRefusedError,
    AdminClient,
    ChangeConflictsError,
    PutRule,
    RenameSetting,
    RequestRefusedError,
)
from heksherlite.service import embedded
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.options import AccessOptions
from tests.service.api import FEATURES, Api
from tests.service.tokens import EVERY_SCOPE, make_token

PUT_DEV = PutRule(setting="cache_ttl", feature_values={"environment": "dev"}, value=10)
JANE = "jane@example.com"
BEHIND_A_PROXY = AccessOptions(
    auth="tokens", trust_user_header="X-Forwarded-Email", trusted_proxies=(ip_network("127.0.0.1"),)
)


class Service:
    """A service with tokens, behind a proxy that names people."""

    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        self.url = url

    def client(self, name: str, *scopes: Scope, owner: str | None = None, prefix: str = "") -> AdminClient:
        """Return a client with a new token."""
        return AdminClient(self.url, token=make_token(self.path, name, *scopes, owner=owner, setting_prefix=prefix))

    def person(self, name: str) -> AdminClient:
        """Return the client of a person whom the proxy names."""
        token = make_token(self.path, f"proxy-{name}", *EVERY_SCOPE)
        return AdminClient(self.url, token=token, http_client_args={"headers": {"X-Forwarded-Email": name}})


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    path = tmp_path / "a.db"
    setup = make_token(path, "setup", *EVERY_SCOPE)
    with embedded(path, access=BEHIND_A_PROXY, context_features=FEATURES) as running:
        api = Api(running.url, token=setup)
        with api.http:
            api.declare()
            api.declare("shop.page")
        yield Service(path, running.url)


def refused(client: AdminClient, number: int) -> None:
    with pytest.raises(AccessRefusedError, match="someone other than its author must approve it"):
        client.approve(number)


def test_another_token_of_the_same_person(service: Service) -> None:
    """Tokens of one owner are one person. A token of somebody else approves."""
    with (
        service.client("jane-laptop", *EVERY_SCOPE, owner=JANE) as one,
        service.client("jane-ci", *EVERY_SCOPE, owner=JANE) as two,
        service.client("john", *EVERY_SCOPE, owner="john@example.com") as john,
    ):
        number = one.propose([PUT_DEV])
        refused(one, number)
        refused(two, number)
        two.comment(number, "it is mine")
        assert john.approve(number).state == "applied"
        withdrawn = one.propose([PUT_DEV])
        two.withdraw(withdrawn)


def test_the_owner_of_a_token_as_a_person(service: Service) -> None:
    """A person whom the proxy names is the owner of their tokens, and both ways are refused."""
    with service.person(JANE) as person, service.client("jane-ci", *EVERY_SCOPE, owner=JANE) as token:
        refused(token, person.propose([PUT_DEV]))
        refused(person, token.propose([PUT_DEV]))


def test_the_same_token_past_the_proxy(service: Service) -> None:
    """A person who sends their token through the proxy and past it is one person. A shared token of two is not."""
    token = make_token(service.path, "shared", *EVERY_SCOPE)

    def client(name: str | None) -> AdminClient:
        headers = {} if name is None else {"X-Forwarded-Email": name}
        return AdminClient(service.url, token=token, http_client_args={"headers": headers})

    with client(JANE) as jane, client(None) as nobody, client("john@example.com") as john:
        refused(nobody, jane.propose([PUT_DEV]))
        refused(jane, nobody.propose([PUT_DEV]))
        assert john.approve(jane.propose([PUT_DEV])).state == "applied"


def test_a_token_that_somebody_creates_is_theirs(service: Service) -> None:
    """Over HTTP, a token belongs to who creates it, unless another owner is named."""
    with service.person(JANE) as person:
        api = Api(service.url, token=make_token(service.path, "proxy", *EVERY_SCOPE))
        with api.http:
            body = {"name": "second", "scopes": ["read", "write"]}
            headers = {"X-Forwarded-Email": JANE}
            second = api.call("POST", "tokens", body, headers=headers).json()["token"]
            johns = api.call("POST", "tokens", {**body, "name": "john", "owner": "john"}, headers=headers)
            owners = {token["name"]: token["owner"] for token in api.get("tokens").json()["tokens"]}
        assert (owners["second"], owners["john"], owners["proxy"]) == (JANE, "john", None)
        number = person.propose([PUT_DEV])
        with AdminClient(service.url, token=second) as client:
            refused(client, number)
        with AdminClient(service.url, token=johns.json()["token"]) as client:
            assert client.approve(number).state == "applied"


def test_approving_twice_at_once(service: Service) -> None:
    """Of two people who approve at the same moment, one applies the proposal, and the other one hears of it."""
    with (
        service.client("author", Scope.READ, Scope.PROPOSE) as author,
        service.client("one", *EVERY_SCOPE) as one,
        service.client("two", *EVERY_SCOPE) as two,
    ):
        number = author.propose([PUT_DEV])

        def approve(client: AdminClient) -> str:
            try:
                return client.approve(number).state
            except ChangeConflictsError as error:
                return str(error)

        with ThreadPoolExecutor(2) as pool:
            outcomes = sorted(pool.map(approve, [one, two]), key=len)
        assert outcomes[0] == "applied"
        assert "is closed" in outcomes[1]
        assert len(one.history(setting="cache_ttl").records) == 2  # the declaration, and the change


def test_a_limited_token_does_not_reach_outside(service: Service) -> None:
    """Neither by a proposal, nor by approving one, nor by an alias, nor by reverting a change of several settings."""
    outside = PutRule(setting="cache_ttl", feature_values={"user": "john"}, value=1)
    inside = PutRule(setting="shop.page", feature_values={"user": "john"}, value=1)
    with service.client("admin", *EVERY_SCOPE) as admin, service.client("shop", *EVERY_SCOPE, prefix="shop.") as shop:
        for operation in (outside, RenameSetting(setting="shop.page", name="page")):
            with pytest.raises(AccessRefusedError, match=r"'shop\.'"):
                shop.propose([inside, operation])
        with pytest.raises(RequestRefusedError, match="does not exist"):
            shop.approve(admin.propose([inside, outside]))
        both = admin.change([inside, outside]).revision
        with pytest.raises(AccessRefusedError, match=r"'shop\.'"):
            shop.revert(both)
        number = admin.propose([PutRule(setting="shop.page", feature_values={"user": "jane"}, value=2)])
        admin.change([RenameSetting(setting="shop.page", name="page")])
        with pytest.raises(RequestRefusedError, match="does not exist"):
            shop.approve(number)
        with pytest.raises(AccessRefusedError, match=r"'shop\.'"):
            shop.change([PutRule(setting="shop.page", feature_values={"user": "jane"}, value=2)])
        assert [rule.value for rule in admin.rules("page")] == [1]
