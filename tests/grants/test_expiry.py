"""Credentials that end: the log and the status say when, and what somebody has to do."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from heksherlite.errors import DemandError
from heksherlite.grants import (
    CacheGrant,
    Fakts,
    Grant,
    HardGrant,
    ParallelGrant,
    RemoteGrant,
    WellKnownDiscovery,
)
from heksherlite.grants.expiry import WARNING_SECONDS
from tests.grants import remote_grants
from tests.grants.endpoint import CONFIG, Received, Scripted, ScriptedEndpoint
from tests.grants.loads import loaded
from tests.grants.remote_grants import HIDDEN, described
from tests.sdk.conftest import Log
from tests.waiting import until

DAY = 86_400
static = partial(remote_grants.static, discover=described)
redeem = partial(remote_grants.redeem, discover=described)
retrieve = partial(remote_grants.retrieve, discover=described)
device_code = partial(remote_grants.device_code, discover=described)


def expire(endpoint: ScriptedEndpoint, at: object, *tokens: str) -> None:
    """Let the endpoint say when tokens expire: the named ones, or all of them."""

    def claim(request: Received) -> Scripted:
        token = request.body["token"]
        if token not in endpoint.tokens:
            return Scripted({"status": "error", "message": "unknown token"})
        ends = {"expires_at": at} if not tokens or token in tokens else {}
        return Scripted({"status": "granted", "config": endpoint.tokens[token], **ends})

    endpoint.script["/f/claim/"] = claim


LOGIN = "run 'heksherlite login {url} --identifier org.example.app --claim-token' where the program runs"


@pytest.mark.parametrize(
    ("make_grant", "holder", "remedy"),
    [
        (static, "StaticGrant", "give the program its new token"),
        (redeem, "org.example.app", LOGIN),
        (device_code, "org.example.app", LOGIN),
        (retrieve, "org.example.app", "run 'heksherlite app rotate'"),
    ],
)
def test_the_end_is_near(
    make_grant: Callable[[ScriptedEndpoint], Grant], holder: str, remedy: str, endpoint: ScriptedEndpoint, log: Log
) -> None:
    """One warning says whose credentials end, when, and what to do; the status says it too. No secret is displayed."""
    at = int(time.time()) + 3 * DAY
    expire(endpoint, at)
    fakts = Fakts(ParallelGrant([HardGrant({"a": 1}), make_grant(endpoint)]))
    for _ in range(3):
        fakts.refresh()
    date = datetime.fromtimestamp(at, UTC)
    expected = f"credentials expire soon: {holder} at {endpoint.base_url}: they end at {date:%Y-%m-%d %H:%M} UTC: "
    (record,) = [record for record in log.caplog.records if "credentials expire soon" in record.getMessage()]
    assert record.getMessage().startswith(expected + remedy.format(url=endpoint.url))
    assert fakts.status.credentials_expire_at == date
    assert fakts.status.remedy == vars(record)["remedy"]
    assert not re.search("|".join(HIDDEN), log.caplog.text + str(fakts.status) + str(vars(record)))


def test_another_end_is_another_warning(endpoint: ScriptedEndpoint, log: Log) -> None:
    """A later end that is near too is logged, and an end that is far away is not."""
    fakts = Fakts(static(endpoint))
    for days in (30, 3, 3, 5, 60):
        expire(endpoint, int(time.time()) + days * DAY)
        fakts.refresh()
    assert log.caplog.text.count("credentials expire soon") >= 2
    expected = datetime.fromtimestamp(time.time() + 60 * DAY, UTC)
    assert fakts.status.credentials_expire_at is not None
    assert abs(fakts.status.credentials_expire_at - expected).total_seconds() < 60


def test_a_program_that_follows_is_warned_in_time(endpoint: ScriptedEndpoint, log: Log) -> None:
    """A program that runs for months claims its facts again when the end comes near, and warns."""
    at = time.time() + WARNING_SECONDS + 1
    expire(endpoint, at)
    with Fakts(static(endpoint), refresh_every=3600) as fakts:
        fakts.load()
        assert "credentials expire soon" not in log.caplog.text
        until(lambda: "credentials expire soon" in log.caplog.text)
    assert len(endpoint.of("claim")) == 2


def test_a_public_application_renews_itself(endpoint: ScriptedEndpoint, log: Log) -> None:
    """A token of a public application that was replaced is exchanged for the new one before it ends."""
    loaded(retrieve(endpoint))
    (old,) = endpoint.tokens.keys() - {"static-token"}
    expire(endpoint, time.time() + DAY, old)
    for _ in range(2):
        fakts = Fakts(retrieve(endpoint))
        assert fakts.load() == CONFIG
        assert fakts.status.credentials_expire_at is None
    assert len(endpoint.of("retrieve")) == 2
    endpoint.tokens.pop(old)
    assert Fakts(retrieve(endpoint)).load() == CONFIG
    assert log.caplog.text == ""


class Demand:
    async def ademand(self, endpoint: Any, request: Any) -> str:  # noqa: ARG002 - always the same
        return "static-token"


def test_an_own_demand_needs_nobody(endpoint: ScriptedEndpoint, log: Log) -> None:
    """A grant that demands a new token by itself warns of nothing; the status still has the end."""
    expire(endpoint, time.time() + DAY)
    grant = RemoteGrant(identifier="a", discovery=WellKnownDiscovery(url=endpoint.url), demand=Demand())
    fakts = Fakts(grant)
    fakts.load()
    assert fakts.status.credentials_expire_at is not None
    assert fakts.status.remedy is None
    assert log.caplog.text == ""


def test_cached_facts_keep_the_end(endpoint: ScriptedEndpoint, tmp_path: Path, log: Log) -> None:
    """A start with cached or kept facts warns too."""
    expire(endpoint, time.time() + DAY)
    cache = CacheGrant(redeem(endpoint), cache_file=tmp_path / "cache")
    Fakts(cache).load()
    endpoint.script["/.well-known/fakts"] = Scripted(status=503)
    for grant in (cache, redeem(endpoint)):
        log.caplog.clear()
        fakts = Fakts(grant)
        fakts.load()
        assert "credentials expire soon: org.example.app" in log.caplog.text
        assert fakts.status.remedy is not None


@pytest.mark.parametrize("at", ["soon", True, -1, 1e300, None])
def test_malformed_ends_are_ignored(at: object, endpoint: ScriptedEndpoint) -> None:
    """An end that is not a time is none."""
    expire(endpoint, at)
    fakts = Fakts(static(endpoint))
    assert fakts.load() == CONFIG
    assert fakts.status.credentials_expire_at is None


def test_a_spent_one_time_token_says_what_to_do(endpoint: ScriptedEndpoint) -> None:
    """A program whose token was replaced, and whose one-time token is spent, says how it gets the new one."""
    loaded(redeem(endpoint))
    endpoint.tokens.clear()
    fakts = Fakts(redeem(endpoint))
    with pytest.raises(DemandError, match=re.escape(LOGIN.format(url=endpoint.url))):
        fakts.load()
    assert "one-time-token" not in str(fakts.status.last_error)
    assert "invite the program again" in str(fakts.status.last_error)
