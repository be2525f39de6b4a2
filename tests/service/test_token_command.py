"""``heksherlite token``, and the options of ``heksherlite serve`` for authorization."""

import re
import sqlite3
import time
from pathlib import Path

import click
import httpx
import pytest
from click.testing import CliRunner, Result

from heksherlite.cli.access import access_options
from heksherlite.cli.commands import heksherlite
from heksherlite.errors import ServiceStartError
from heksherlite.service import AccessOptions, embedded
from heksherlite.service.domain.limits import Limits
from heksherlite.service.domain.tokens import SHAPE, Scope
from tests.service.api import Api
from tests.service.test_processes import process
from tests.service.tokens import REFUSED
from tests.waiting import until


def run(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(heksherlite, ["token", *arguments, "--database", f"sqlite:///{path}"])


def listed(path: Path) -> list[list[str]]:
    lines = run(path, "list").output.splitlines()
    return [re.split("  +", line) for line in lines[1:]]


@pytest.mark.thorough
def test_a_served_token_is_made_used_and_revoked(tmp_path: Path) -> None:
    """Tokens can be created and revoked while the service runs."""
    path = tmp_path / "a.db"
    arguments = ("--database", f"sqlite:///{path}", "--auth", "tokens", "--context-features", "user")
    with process(*arguments, "--first-token-file", "-") as (running, api):
        assert running.stdout is not None
        line = running.stdout.readline()
        assert " is shown only this once: hkl_" in line
        api.http.headers["Authorization"] = f"Bearer {line.split()[-1]}"
        assert api.declare(configurable_features=["user"]).status_code == 200
        token = run(path, "create", "reader", "--scope", "read").output.strip()
        reader = Api(api.url, token=token)
        with reader.http:
            until(lambda: reader.get("query").status_code == 200)
            assert reader.declare().status_code == 403
            assert run(path, "revoke", "reader").exit_code == 0
            until(lambda: reader.get("query").status_code in REFUSED)
    with process(*arguments) as (running, api):
        running.terminate()
        assert running.stdout is not None
        assert "hkl_" not in running.stdout.read()


def test_create_prints_the_token_and_nothing_else(tmp_path: Path) -> None:
    """The output is the token only, so that it can be piped."""
    result = run(tmp_path / "a.db", "create", "a", "--scope", "read,write", "--scope", "admin")
    assert result.exit_code == 0
    assert SHAPE.fullmatch(result.stdout.removesuffix("\n"))
    assert result.stderr == ""


def test_list_shows_all_but_the_secret(tmp_path: Path) -> None:
    """The list has the scopes, and the public prefix by which a token can be recognized."""
    path = tmp_path / "a.db"
    plain = run(path, "create", "plain", "--scope", "admin", "--scope", "read").output.strip()
    run(path, "create", "limited", "--scope", "declare", "--setting-prefix", "backend.", "--expires", "2300-01-31")
    run(path, "create", "old", "--scope", "read", "--expires", "1h")
    connection = sqlite3.connect(path)
    connection.execute("UPDATE tokens SET expires_at = 0 WHERE name = 'old'")
    connection.commit()
    connection.close()
    rows = {row[0]: row for row in listed(path)}
    created = rows["plain"][5]
    assert rows["plain"] == ["plain", plain[:12], "read,admin", "*", "-", created, "-", "never"]
    assert rows["limited"][2:5] + rows["limited"][6:] == ["declare", "backend.*", "-", "-", "2300-01-31 00:00"]
    assert rows["old"][7] == "1970-01-01 00:00 (expired)"
    assert plain[13:] not in run(path, "list").output


@pytest.mark.parametrize(
    ("text", "seconds"), [("12h", 12 * 3600), ("90d", 90 * 86_400), ("52w", 52 * 7 * 86_400), ("0001h", 3600)]
)
def test_expiry_is_a_time_from_now(tmp_path: Path, text: str, seconds: int) -> None:
    """Hours, days and weeks count from the creation of the token."""
    before = int(time.time())
    assert run(tmp_path / "a.db", "create", "a", "--scope", "read", "--expires", text).exit_code == 0
    connection = sqlite3.connect(tmp_path / "a.db")
    (expires_at,) = connection.execute("SELECT expires_at FROM tokens").fetchone()
    connection.close()
    assert before + seconds <= expires_at <= time.time() + seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2300-01-31", 10_416_384_000), ("2300-01-31T01:00+01:00", 10_416_384_000), ("2300-01-31 00:01", 10_416_384_060)],
)
def test_expiry_is_a_date(tmp_path: Path, text: str, expected: int) -> None:
    """A date is in UTC unless it has an offset."""
    assert run(tmp_path / "a.db", "create", "a", "--scope", "read", "--expires", text).exit_code == 0
    connection = sqlite3.connect(tmp_path / "a.db")
    assert connection.execute("SELECT expires_at FROM tokens").fetchone() == (expected,)
    connection.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create", "--scope", "read"], "Missing argument 'NAME'"),
        (
            ["create", "a", "--scope", "everything"],
            "'everything' is not a scope; the scopes are read, declare",
        ),
        (["create", "a b", "--scope", "read"], "'a b' is not a name for a token"),
        (["create", "a", "--scope", "read", "--expires", "soon"], "a date such as 2030-01-31"),
        (["create", "a", "--scope", "read", "--expires", "9999999d"], "a date such as 2030-01-31"),
        (["create", "a", "--scope", "read", "--expires", "999999w"], "a date such as 2030-01-31"),
        (["create", "a", "--scope", "read", "--expires", "9999-12-31T23:59-12:00"], "a date such as 2030-01-31"),
        (["create", "a", "--scope", "read", "--expires", "0001-01-01T00:00+12:00"], "a date such as 2030-01-31"),
        (["create", "a", "--scope", "read", "--expires", "0h"], "expired already"),
        (["create", "a", "--scope", "read", "--expires", "2020-01-01"], "expired already"),
        (["create", "a", "--scope", "read", "--setting-prefix", "back end"], "the name of a setting cannot begin with"),
        (["revoke", "nobody"], "there is no token named 'nobody'"),
    ],
)
def test_unusable_arguments_are_refused(tmp_path: Path, arguments: list[str], message: str) -> None:
    """Invalid arguments are reported in one line, and no token is created."""
    with embedded(tmp_path / "a.db"):
        pass
    result = run(tmp_path / "a.db", *arguments)
    assert result.exit_code in {1, 2}
    assert message in result.stderr.splitlines()[-1]
    assert result.stdout == ""
    assert listed(tmp_path / "a.db") == []


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    """Another token with the same name is refused. After a revocation, the name can be used again."""
    path = tmp_path / "a.db"
    assert run(path, "create", "a", "--scope", "read").exit_code == 0
    assert "there is a token named 'a' already" in run(path, "create", "a", "--scope", "read").output
    assert run(path, "revoke", "a").exit_code == 0
    token = run(path, "create", "a", "--scope", "read").output
    assert run(path, "revoke", token[:12]).exit_code == 0
    assert listed(path) == []


def test_an_unusable_database(tmp_path: Path) -> None:
    """A database that cannot be opened is reported in one line."""
    result = run(tmp_path / "nowhere" / "a.db", "create", "a", "--scope", "read")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: cannot use database")


@pytest.mark.parametrize("command", [["list"], ["revoke", "a"]])
def test_a_missing_database(tmp_path: Path, command: list[str]) -> None:
    """Commands that need an existing database create none."""
    result = run(tmp_path / "a.db", *command)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: there is no database {tmp_path}/a.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104
def test_open_addresses_need_tokens(tmp_path: Path, host: str) -> None:
    """On an address that other machines can reach, a service without tokens requires --insecure."""
    with (
        pytest.raises(ServiceStartError, match=r"--auth tokens\), or accept the risk \(--insecure\)"),
        embedded(tmp_path / "a.db", host=host),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
    for access in (AccessOptions(auth="tokens"), AccessOptions(insecure=True)):
        with embedded(tmp_path / "a.db", host=host, access=access) as service:
            url = service.url.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]")  # noqa: S104
            assert httpx.get(url + "/api/health").status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_addresses_do_not(tmp_path: Path, host: str) -> None:
    """On a loopback address, tokens are optional."""
    with embedded(tmp_path / "a.db", host=host) as service:
        assert httpx.get(service.url + "/api/v1/query").status_code == 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "0.0.0.0"], "other machines can reach 0.0.0.0"),  # noqa: S104
        (["--host", "0.0.0.0", "--auth", "none"], "--insecure"),  # noqa: S104
        (["--auth", "all"], "is not one of 'none', 'tokens'"),
        (["--trust-user-header", "X-User"], "--trust-user-header requires --trusted-proxies"),
        (["--trust-user-header", "X User", "--trusted-proxies", "::1"], "'X User' is not a valid header name"),
        (["--operator", "jane@example.com"], "--operator requires --trust-user-header"),
        (["--trusted-proxies", "10.0.0.0/33"], "expected a network such as 10.0.0.0/8"),
        (["--trusted-proxies", "10.0.0.1/8"], "has host bits set"),
        (["--max-rules", "0"], "--max-rules"),
        (["--request-timeout", "0"], "--request-timeout"),
    ],
)
def test_unusable_options_are_refused(tmp_path: Path, arguments: list[str], message: str) -> None:
    """A service with contradictory options does not start."""
    database = ["--database", f"sqlite:///{tmp_path}/a.db"]
    result = CliRunner().invoke(heksherlite, ["serve", "--port", "0", *database, *arguments])
    assert result.exit_code in {1, 2}
    assert message in result.output.splitlines()[-1]


@pytest.mark.thorough
def test_options_reach_the_service(tmp_path: Path) -> None:
    """Limits and proxies can be set on the command line."""
    arguments = ("--database", f"sqlite:///{tmp_path}/a.db", "--context-features", "environment;user")
    limits = ("--max-settings", "1", "--max-rules", "1", "--max-value-size", "50", "--max-body-size", "300")
    proxies = ("--trust-user-header", "X-User", "--trusted-proxies", "127.0.0.1", "--trusted-proxies", "10.0.0.0/8")
    with process(*arguments, *limits, *proxies, "--request-timeout", "5", "--writes-per-second", "1000") as (_, api):
        assert api.declare("a").status_code == 200
        assert api.declare("b").status_code == 409
        rule_id = api.add_rule(1, "a", user="x")
        assert api.call("PUT", f"rules/{rule_id}/metadata/k", {"value": "x" * 60}).status_code == 413
        assert api.call("PUT", f"rules/{rule_id}/metadata/k", {"value": "x" * 300}).status_code == 413
        twice = [("X-User", "a"), ("X-User", "b")]
        assert api.call("GET", "query", headers=twice).status_code == 400
        assert api.call("GET", "query", headers=twice[:1]).status_code == 200


def test_operators_reach_the_service() -> None:
    """Operators can be listed by name."""
    seen: list[AccessOptions] = []

    @click.command()
    @access_options
    def take(*, access: AccessOptions, limits: Limits) -> None:
        del limits
        seen.append(access)

    proxies = ["--trust-user-header", "X-User", "--trusted-proxies", "127.0.0.1"]
    result = CliRunner().invoke(take, [*proxies, "--operator", "jane", "--operator", "joe"], catch_exceptions=False)
    assert result.exit_code == 0
    assert seen[0].operators == {"jane", "joe"}


def test_help_names_every_option() -> None:
    """The help describes the options and scopes."""
    text = CliRunner().invoke(heksherlite, ["serve", "--help"], terminal_width=200).output
    for name in ("--auth", "--insecure", "--trust-user-header", "--trusted-proxies", "--max-settings", "--max-rules"):
        assert name in text
    for name in ("--max-body-size", "--max-value-size", "--request-timeout", "--writes-per-second", "--operator"):
        assert name in text
    text = CliRunner().invoke(heksherlite, ["token", "create", "--help"], terminal_width=200).output
    for name in ("--scope", "--setting-prefix", "--expires", "--database", *Scope):
        assert name in text
    text = CliRunner().invoke(heksherlite, ["token", "--help"]).output
    for name in ("create", "list", "revoke"):
        assert name in text
