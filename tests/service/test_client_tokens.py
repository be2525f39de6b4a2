"""Clients of a service that requires tokens, as the documentation shows them."""

import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from heksherlite import TRACK_ALL, AsyncHeksherClient, Setting, ThreadHeksherClient
from heksherlite.cli.commands import heksherlite
from heksherlite.service import embedded
from heksherlite.service.domain.tokens import Scope
from tests.service.api import FEATURES, Api
from tests.service.tokens import WITH_TOKENS, make_token, revoke_token
from tests.waiting import until


class Guarded:
    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        self.url = url

    def thread_client(self, secret: str) -> ThreadHeksherClient:
        return ThreadHeksherClient(
            self.url,
            update_interval=0.2,
            context_features=FEATURES,
            http_client_args={"headers": {"Authorization": f"Bearer {secret}"}},
        )


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    make_token(tmp_path / "a.db", "first", *Scope)
    with embedded(tmp_path / "a.db", access=WITH_TOKENS, context_features=FEATURES) as service:
        yield Guarded(tmp_path / "a.db", service.url)


@pytest.fixture
def program(guarded: Guarded) -> str:
    """Return a valid token with the scopes that programs need."""
    secret = make_token(guarded.path, "program", Scope.READ, Scope.DECLARE)
    api = Api(guarded.url, token=secret)
    with api.http:
        until(lambda: api.get("context_features").status_code == 200)
    return secret


@pytest.mark.anyio
async def test_a_wrong_token_is_an_error(guarded: Guarded) -> None:
    """The asynchronous client raises the error of the service, without the token."""
    wrong = "hkl_00000000_" + "x" * 43
    setting = Setting("cache_ttl", int, ["user"], default_value=60)
    client = AsyncHeksherClient(
        guarded.url,
        update_interval=60,
        context_features=FEATURES,
        http_client_args={"headers": {"Authorization": f"Bearer {wrong}"}},
    )
    client.track_contexts(user=TRACK_ALL)
    with pytest.raises(httpx.HTTPStatusError, match="401 Unauthorized") as caught:
        await client.__aenter__()
    assert "needed_scope" in str(caught.value)
    assert wrong not in repr(caught.value)
    assert setting.name == "cache_ttl"


def test_a_revoked_token_is_replaced(guarded: Guarded, program: str, caplog: pytest.LogCaptureFixture) -> None:
    """While the token is invalid, settings keep their values, and there is one log record."""
    caplog.set_level(logging.INFO)
    setting = Setting("cache_ttl", int, ["user"], default_value=60)
    client = guarded.thread_client(program)
    client.track_contexts(user=TRACK_ALL)
    client.set_defaults(user="john")
    with client:
        assert client.status.state == "fresh"
        revoke_token(guarded.path, "program")
        until(lambda: client.status.consecutive_failures > 2)
        assert setting.get() == 60
        assert isinstance(client.status.last_error, httpx.HTTPStatusError)
        assert client.status.last_error.response.status_code in {401, 429}
    records = [record for record in caplog.records if record.name.startswith("heksherlite.clients")]
    warnings = [record.getMessage() for record in records if record.levelno >= logging.WARNING]
    assert [warning.partition(" for GET ")[0] for warning in warnings] == [
        "error during heksher update: unexpected status 401 Unauthorized"
    ]
    assert program[13:] not in caplog.text
    assert program[13:] not in repr(client)


def test_export_with_a_token(guarded: Guarded, program: str, tmp_path: Path) -> None:
    """`heksherlite export` sends the token as a header, and prints the error of the service without one."""
    command = ["export", guarded.url, "--output", str(tmp_path / "settings.snapshot")]
    refused = CliRunner().invoke(heksherlite, command)
    assert (refused.exit_code, "requires a token with scope read" in refused.output) == (1, True)
    made = CliRunner().invoke(heksherlite, [*command, "--header", f"Authorization: Bearer {program}"])
    assert (made.exit_code, made.output) == (0, "")
    assert (tmp_path / "settings.snapshot").stat().st_size > 0


def test_a_client_within_a_prefix(guarded: Guarded) -> None:
    """A program with a limited token can declare, read and follow its settings."""
    secret = make_token(guarded.path, "limited", Scope.READ, Scope.DECLARE, Scope.WRITE, setting_prefix="backend.")
    setting = Setting("backend.cache_ttl", int, ["user"], default_value=60)
    api = Api(guarded.url, token=secret)
    client = guarded.thread_client(secret)
    client.track_contexts(user=TRACK_ALL)
    with api.http:
        until(lambda: api.get("context_features").status_code == 200)
        with client:
            api.add_rule(10, "backend.cache_ttl", user="john")
            until(lambda: setting.get(user="john") == 10)
