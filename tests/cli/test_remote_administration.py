"""``heksherlite token``, ``app`` and ``group`` with ``--url``: over HTTP, with an ``admin`` token."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from heksherlite.cli.commands import heksherlite
from heksherlite.service import embedded
from heksherlite.service.domain.tokens import Scope
from tests.service.applications import SHOP
from tests.service.tokens import WITH_TOKENS, make_token


class Remote:
    """The commands against one service."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token

    def try_(self, *arguments: str, sent: str | None = None, token: str | None = None) -> Result:
        environment = {"HEKSHER_TOKEN": token or self.token}
        return CliRunner().invoke(heksherlite, [*arguments, "--url", self.url], input=sent, env=environment)

    def run(self, *arguments: str, sent: str | None = None) -> str:
        result = self.try_(*arguments, sent=sent)
        assert result.exit_code == 0, result.output
        return result.stdout

    def table(self, *arguments: str) -> list[list[str]]:
        return [re.split("  +", line) for line in self.run(*arguments).splitlines()[1:]]


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    """Return the commands against a service that requires tokens."""
    token = make_token(tmp_path / "a.db", "jane", Scope.ADMIN)
    with embedded(tmp_path / "a.db", access=WITH_TOKENS, context_features=["environment"]) as service:
        yield Remote(service.url, token)


def test_tokens_are_managed_over_http(remote: Remote) -> None:
    """A token is created, listed, used and revoked without access to the database."""
    token = remote.run("token", "create", "reader", "--scope", "read,declare", "--expires", "1h").strip()
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{remote.url}/api/v1/settings", headers=headers).status_code == 200
    (_, row) = remote.table("token", "list")
    assert row[:4] == ["reader", token[:12], "read,declare", "*"]
    refused = remote.try_("token", "list", token=token)
    assert refused.exit_code == 1
    assert "requires scope admin" in refused.stderr
    remote.run("token", "revoke", "reader")
    missing = remote.try_("token", "revoke", "reader")
    assert missing.exit_code == 1
    assert "there is no token named 'reader'" in missing.stderr


def test_applications_and_groups_are_managed_over_http(remote: Remote) -> None:
    """Groups, secrets, invitations, public applications and device codes work as they do on the database."""
    remote.run("group", "secret", "set", "password", sent="hunter2\n")
    remote.run("group", "set", "db", sent='{"password": {"$secret": "password"}}')
    remote.run("app", "invite", SHOP.identifier, "--scope", "read", "--default", "environment=prod", "--reason", "CI")
    remote.run("group", "attach", "db", "--identifier", SHOP.identifier, sent="y\n")
    (row,) = remote.table("app", "list")
    assert row[1:7] == [SHOP.identifier, "-", "invited", "read", "*", "db"]
    assert remote.table("group", "list") == [["db", "password", "password", SHOP.identifier]]
    assert remote.run("group", "secret", "list") == "password\n"
    remote.run("group", "detach", "db", row[0])
    remote.run("group", "remove", "db")
    remote.run("group", "secret", "remove", "password")
    expired = remote.try_("app", "expire", row[0], "--expires", "90d")
    assert "has no credentials yet" in expired.stderr
    assert remote.run("app", "revoke", row[0]) == f"revoked {row[0]} ({SHOP.identifier})\n"
    code = httpx.post(f"{remote.url}/f/start/", json={"manifest": SHOP.parts()}).json()["code"]
    approved = remote.run("app", "approve", code, "--scope", "read", sent="y\n").strip()
    public = remote.run("app", "register", "kiosk", "--public").strip()
    assert {row[0] for row in remote.table("app", "list")} == {approved, public}
    expiring = remote.run("app", "expire", public, "--expires", "2030-01-31")
    assert expiring == f"{public} (kiosk) expires: 2030-01-31 00:00 UTC\n"
    assert [row[8:] for row in remote.table("app", "list") if row[0] == public] == [["-", "2030-01-31 00:00"]]
    assert remote.run("app", "expire", public, "--expires", "never").endswith("expires: never\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("token", "create", "a b", "--scope", "read"), "'a b' is not a name for a token"),
        (("app", "revoke", "x"), "there is no application with the ID 'x'"),
        (("app", "approve", "BCDFGHJK"), "no application waits with this code"),
        (("token", "list", "--database", "sqlite:///a.db"), "Give either --database or --url."),
    ],
)
def test_refusals_are_said_in_words(remote: Remote, arguments: tuple[str, ...], message: str) -> None:
    """The message of the service is the error of the command."""
    result = remote.try_(*arguments)
    assert result.exit_code in {1, 2}
    assert message in result.stderr
