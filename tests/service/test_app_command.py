"""``heksherlite app`` and ``heksherlite group``."""

import json
import re
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from heksherlite.cli.commands import heksherlite
from heksherlite.service import embedded
from tests.service.api import Api
from tests.service.applications import SHOP
from tests.service.stores import prepare
from tests.service.tokens import EVERY_SCOPE, WITH_TOKENS, make_token


class Commands:
    def __init__(self, path: Path) -> None:
        self.path = path

    def try_(self, *arguments: str, sent: str | None = None) -> Result:
        database = ["--database", f"sqlite:///{self.path}"]
        return CliRunner().invoke(heksherlite, [*arguments, *database], input=sent)

    def run(self, *arguments: str, sent: str | None = None) -> str:
        result = self.try_(*arguments, sent=sent)
        assert result.exit_code == 0, result.output
        return result.stdout

    def invite(self, identifier: str) -> str:
        """Invite an application, and return its ID."""
        before = self.groups()
        self.run("app", "invite", identifier)
        (added,) = set(self.groups()).difference(before)
        return added

    def groups(self) -> dict[str, str]:
        """Return the groups of each application by its ID."""
        return {row[0]: row[6] for row in self.table("app", "list")}

    def table(self, *arguments: str) -> list[list[str]]:
        return [re.split("  +", line) for line in self.run(*arguments).splitlines()[1:]]


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """Return the commands on an empty database."""
    prepare(f"sqlite:///{tmp_path}/a.db")
    return Commands(tmp_path / "a.db")


def test_an_application_is_invited_configured_and_revoked(commands: Commands) -> None:
    """The commands create what a program claims from a running service, and revoke it. The history has every step."""
    token = make_token(commands.path, "operator", *EVERY_SCOPE)
    with embedded(commands.path, access=WITH_TOKENS, context_features=["environment"]) as service:
        invited = ("app", "invite", SHOP.identifier, "--scope", "read,declare", "--default", "environment=prod")
        one_time_token = commands.run(*invited, "--reason", "for CI").strip()
        commands.run("group", "secret", "set", "db-password", sent="hunter2\n")
        group = '{"host": "db.local", "password": {"$secret": "db-password"}}'
        commands.run("group", "set", "db", sent=group)
        commands.run("group", "attach", "db", "--identifier", SHOP.identifier, "--yes")
        (row,) = commands.table("app", "list")
        assert row[1:7] == [SHOP.identifier, "-", "invited", "read,declare", "*", "db"]
        body = {"manifest": SHOP.parts(), "token": one_time_token}
        claim_token = httpx.post(f"{service.url}/f/redeem/", json=body).json()["token"]
        config = httpx.post(f"{service.url}/f/claim/", json={"token": claim_token}).json()["config"]
        assert config["db"] == {"host": "db.local", "password": "hunter2"}
        assert config["heksher"]["defaults"] == {"environment": "prod"}
        (row,) = commands.table("app", "list")
        assert row[1:4] == [SHOP.identifier, "1.2", "active"]
        assert commands.table("group", "list") == [["db", "host,password", "db-password", SHOP.identifier]]
        shown = json.loads(commands.run("app", "show", row[0]))
        assert (shown["identifier"], shown["groups"]) == (SHOP.identifier, ["db"])
        commands.run("group", "detach", "db", row[0])
        assert commands.run("app", "revoke", row[0]) == f"revoked {row[0]} ({SHOP.identifier})\n"
        assert commands.table("app", "list") == []
        api = Api(service.url, token=token)
        with api.http:
            about = api.history(application=SHOP.identifier)
            assert [change["name"] for record in about for change in record["changes"]] == [SHOP.identifier] * 5
            assert api.history(application="other") == []
            records = api.history(limit=100)
            changes = [(change["kind"], change.get("name")) for record in records for change in record["changes"]]
        application = ("application", SHOP.identifier)
        revoked_detached_redeemed_attached = [application] * 4
        of_group = [("group", "db"), ("secret", "db-password")]
        assert changes[:7] == [*revoked_detached_redeemed_attached, *of_group, application]
        kinds = {record["author"]["kind"] for record in records}
        assert kinds == {"command_line", "application", "service"}
        assert "for CI" in {record["reason"] for record in records}
        assert "hunter2" not in repr(records)


def test_a_code_is_approved_or_denied(commands: Commands) -> None:
    """The approver sees the request and can still deny it, and the application receives the decision."""
    with embedded(commands.path) as service, httpx.Client(base_url=service.url) as http:

        def start() -> str:
            code: str = http.post("/f/start/", json={"manifest": SHOP.parts()}).json()["code"]
            return code

        def challenge(code: str) -> str:
            status: str = http.post("/f/challenge/", json={"code": code}).json()["status"]
            return status

        code = start()
        refused = commands.try_("app", "approve", code, "--scope", "read", sent="n\n")
        assert refused.exit_code == 1
        assert "application: shop.checkout 1.2\naddress: 127.0.0.1\n" in refused.output
        assert "requested scopes: read, declare, openid\ngranted scopes: read\n" in refused.output
        assert challenge(code) == "pending"
        assert "did not request admin" in commands.try_("app", "approve", code, "--scope", "admin", "--yes").output
        approved = commands.run("app", "approve", code.lower(), "--scope", "read", sent="y\n").strip()
        assert challenge(code) == "granted"
        assert commands.table("app", "list")[0][0] == approved
        code = start()
        commands.run("app", "deny", code)
        assert challenge(code) == "denied"
        assert "already" in commands.try_("app", "approve", code, "--yes").output


def test_a_public_application(commands: Commands) -> None:
    """A public application requires ``--public``, and an identifier can be registered once."""
    assert "--public" in commands.try_("app", "register", "kiosk").output
    commands.run("app", "register", "kiosk", "--public", "--scope", "read", "--redirect-uri", "http://localhost")
    assert commands.table("app", "list")[0][1:5] == ["kiosk", "-", "public", "read"]
    assert "registered already" in commands.try_("app", "register", "kiosk", "--public").output


def test_an_identifier_is_confirmed(commands: Commands) -> None:
    """Applications that are named by identifier are listed before anything changes; an ID names one application."""
    first, second, other = (commands.invite(name) for name in ("shop", "shop", "other"))
    named_like_an_id = commands.invite(first)
    commands.run("group", "set", "db", sent="{}")
    declined = commands.try_("group", "attach", "db", "--identifier", "shop", sent="n\n")
    assert declined.exit_code == 1
    assert first in declined.stderr
    assert second in declined.stderr
    assert other not in declined.stderr
    assert commands.groups() == dict.fromkeys([first, second, other, named_like_an_id], "-")
    without_response = commands.try_("app", "revoke", "--identifier", "shop")
    assert without_response.exit_code == 1
    commands.run("group", "attach", "db", "--identifier", "shop", sent="y\n")
    assert commands.groups() == {first: "db", second: "db", other: "-", named_like_an_id: "-"}
    commands.run("group", "detach", "db", "--identifier", "shop", "--yes")
    missing = commands.try_("group", "attach", "db", other, "x")
    assert "there is no application with the ID 'x'" in missing.stderr
    assert commands.groups() == dict.fromkeys([first, second, other, named_like_an_id], "-")
    commands.run("group", "attach", "db", first, other)
    assert commands.groups() == {first: "db", second: "-", other: "db", named_like_an_id: "-"}
    assert commands.run("app", "revoke", first) == f"revoked {first} (shop)\n"
    assert set(commands.groups()) == {second, other, named_like_an_id}


def test_a_public_application_gets_little_unless_forced(commands: Commands) -> None:
    """Scopes that change settings, and groups with secrets, require ``--force``."""
    commands.run("group", "secret", "set", "password", sent="hunter2")
    commands.run("group", "set", "plain", sent='{"a": 1}')
    commands.run("group", "set", "db", sent='{"password": {"$secret": "password"}}')
    for refused, message in [
        (("--scope", "read,write"), "'kiosk' would get the scope write"),
        (("--scope", "admin"), "'kiosk' would get the scope admin"),
        (("--group", "db"), "'kiosk' would get the secret 'password' in the group 'db'"),
    ]:
        result = commands.try_("app", "register", "kiosk", "--public", *refused)
        assert result.exit_code == 1
        assert message in result.stderr
        assert commands.table("app", "list") == []
    commands.run("app", "register", "kiosk", "--public", "--scope", "read,declare", "--group", "plain")
    commands.run("app", "register", "other", "--public", "--scope", "write", "--group", "db", "--force")
    assert {row[1] for row in commands.table("app", "list")} == {"kiosk", "other"}


def test_secrets_are_not_shown(commands: Commands) -> None:
    """Groups are shown with references and secrets by name. Neither can be deleted while it is in use."""
    commands.run("group", "secret", "set", "password", sent="hunter2")
    commands.run("group", "set", "db", sent='{"password": {"$secret": "password"}}')
    assert json.loads(commands.run("group", "show", "db")) == {"password": {"$secret": "password"}}
    assert commands.run("group", "secret", "list") == "password\n"
    assert "refers to" in commands.try_("group", "secret", "remove", "password").output
    commands.run("group", "remove", "db")
    commands.run("group", "secret", "remove", "password")
    assert commands.run("group", "secret", "list") == ""


@pytest.mark.parametrize(
    ("arguments", "sent", "message"),
    [
        (("app", "invite", ""), None, "needs an identifier"),
        (("app", "invite", "a\nb"), None, "must be printable"),
        (
            ("app", "invite", "a", "--scope", "read,everything"),
            None,
            "'everything' is not a scope",
        ),
        (("app", "invite", "a", "--default", "environment"), None, "FEATURE=VALUE"),
        (("app", "invite", "a", "--default", "planet=earth"), None, "no context feature 'planet'"),
        (("app", "invite", "a", "--group", "db"), None, "no configuration group 'db'"),
        (("app", "invite", "a", "--expires", "soon"), None, "neither a time"),
        (("app", "invite", "a", "--expires", "2001-01-01"), None, "expired already"),
        (("app", "approve", "BCDFGHJK"), None, "no application waits with this code"),
        (("app", "deny", "BCDFGHJK"), None, "no application waits with this code"),
        (("app", "show", "x"), None, "see heksherlite app list"),
        (("app", "revoke", "x"), None, "there is no application with the ID 'x'"),
        (("app", "expire", "x", "--expires", "1d"), None, "there is no application with the ID 'x'"),
        (("app", "expire", "x", "--expires", "soon"), None, "'soon' is neither a time such as 90d"),
        (("app", "revoke"), None, "Give either IDs of applications or --identifier"),
        (("app", "revoke", "x", "--identifier", "x"), None, "Give either IDs of applications or --identifier"),
        (("app", "revoke", "--identifier", "x"), None, "there is no application with the identifier 'x'"),
        (("group", "set", "a.b"), "{}", "not a name for a group"),
        (("group", "set", "db"), "[1", "the group is not JSON: unexpected end"),
        (("group", "set", "db"), '{"a": ' + "[" * 240 + "]" * 240 + "}", "this cannot be stored as JSON"),
        (("group", "set", "db"), "[1]", "the group is not a JSON object"),
        (("group", "set", "db"), '{"a": {"$secret": "x"}}', "no secret 'x'; set it first"),
        (("group", "set", "db"), '{"a": "' + "x" * 2**18 + '"}', "the limit is 262144 bytes"),
        (("group", "show", "x"), None, "see heksherlite group list"),
        (("group", "remove", "x"), None, "there is no configuration group 'x'"),
        (("group", "attach", "x", "y"), None, "there is no application with the ID 'y'"),
        (("group", "attach", "x"), None, "Give either IDs of applications or --identifier"),
        (("group", "secret", "set", "x"), "\n", "a text that is not empty"),
        (("group", "secret", "set", "x"), "a\0b", "has no NUL character"),
        (("group", "secret", "remove", "x"), None, "there is no secret 'x'"),
    ],
)
def test_mistakes(commands: Commands, arguments: tuple[str, ...], sent: str | None, message: str) -> None:
    """A mistake is reported in one line, and changes nothing."""
    result = commands.try_(*arguments, sent=sent)
    assert result.exit_code in {1, 2}
    assert message in result.output.splitlines()[-1]
    assert commands.table("app", "list") == []
