"""Grants that shape, resolve, retry, limit and postpone other grants."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from heksherlite.errors import DemandError, FactsShapeError, GrantError, GroupNotFound
from heksherlite.grants import (
    BelowGrant,
    CacheGrant,
    Fakts,
    HardGrant,
    LazyGrant,
    LoadRequest,
    Manifest,
    ParallelGrant,
    PartGrant,
    RedeemGrant,
    ReferencesGrant,
    RenameGrant,
    RetryGrant,
    StaticDiscovery,
    TimeoutGrant,
    YamlGrant,
)
from tests.grants.endpoint import CONFIG, Scripted, ScriptedEndpoint
from tests.grants.loads import Counting, Failing, loaded
from tests.sdk.conftest import Log


def test_below(tmp_path: Path) -> None:
    """Facts are put below a key, with their sources."""
    path = tmp_path / "a.yaml"
    path.write_text("host: a\npassword: hunter2\n")
    fakts = Fakts(BelowGrant(YamlGrant(path), "services.database"))
    assert fakts.get() == {"services": {"database": {"host": "a", "password": "hunter2"}}}
    assert f"{path}, line 2" in str(fakts.explain("services.database.password"))
    with pytest.raises(ValueError, match=r"the path 'a\.\.b' has an empty key"):
        BelowGrant(HardGrant({}), "a..b")


def test_part(tmp_path: Path) -> None:
    """A group becomes the facts; that there is no such group is an error unless it is not required."""
    path = tmp_path / "a.yaml"
    path.write_text("services:\n  shop:\n    port: 1\n  name: x\n")
    fakts = Fakts(PartGrant(YamlGrant(path), "services.shop"))
    assert fakts.get() == {"port": 1}
    assert f"{path}, line 3" in str(fakts.explain("port"))
    with pytest.raises(GrantError, match=r"has no group 'services\.other'"):
        loaded(PartGrant(YamlGrant(path), "services.other"))
    assert loaded(PartGrant(YamlGrant(path), "services.other", required=False)) == {}
    with pytest.raises(GrantError, match=r"services\.name must be a mapping"):
        loaded(PartGrant(YamlGrant(path), "services.name"))


def test_rename(tmp_path: Path) -> None:
    """Facts move with their sources, the others stay if they are wanted, and nothing is overwritten."""
    path = tmp_path / "a.yaml"
    path.write_text("database_url: x\ndatabase: {host: a}\nold: {deep: {key: 1}}\n")
    names = {"database_url": "database.url", "old.deep": "new", "missing": "y"}
    fakts = Fakts(RenameGrant(YamlGrant(path), names))
    assert fakts.get() == {"database": {"url": "x", "host": "a"}, "new": {"key": 1}}
    assert f"{path}, line 1" in str(fakts.explain("database.url"))
    assert f"{path}, line 3" in str(fakts.explain("new.key"))
    only = RenameGrant(YamlGrant(path), names, keep_others=False)
    assert loaded(only) == {"database": {"url": "x"}, "new": {"key": 1}}
    with pytest.raises(GrantError, match=r"database_url cannot be renamed to database\.host, which exists already"):
        loaded(RenameGrant(YamlGrant(path), {"database_url": "database.host"}))


def test_renamed_secrets_stay_secret() -> None:
    """A secret that is moved to a harmless name is not displayed."""

    async def grant(_: LoadRequest) -> dict[str, Any]:
        return {"db": {"password": "hunter2"}}

    fakts = Fakts(RenameGrant(PartGrant(BelowGrant(grant, "a"), "a"), {"db.password": "db.text"}))
    assert fakts.get("db.text") == "hunter2"
    assert "hunter2" not in f"{fakts.get()}{fakts.explain()}"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"a": {"b": 1}, "c": "${a.b}"}, {"a": {"b": 1}, "c": 1}),
        ({"a": {"b": [1, {"x": 2}]}, "c": "${a}"}, {"a": {"b": [1, {"x": 2}]}, "c": {"b": [1, {"x": 2}]}}),
        ({"a": "h", "b": 5, "c": True, "d": "${a}:${b}/${c}"}, {"a": "h", "b": 5, "c": True, "d": "h:5/true"}),
        ({"a": "${b}", "b": "${c}!", "c": "x"}, {"a": "x!", "b": "x!", "c": "x"}),
        ({"a": ["${b}", {"k": "${b}"}], "b": 1}, {"a": [1, {"k": 1}], "b": 1}),
        ({"a": "$${b} $5 ${", "b": 1}, {"a": "${b} $5 ${", "b": 1}),
    ],
)
def test_references(facts: dict[str, Any], expected: dict[str, Any]) -> None:
    """A reference alone is the value itself; within a text it is text; twice the sign escapes it."""
    assert loaded(ReferencesGrant(HardGrant(facts))) == expected


def test_references_find_the_value_that_wins(tmp_path: Path) -> None:
    """References are resolved over all layers, and what contains a secret is one."""
    path = tmp_path / "a.yaml"
    path.write_text("db: {host: a, url: 'x://me:${db.password}@${db.host}', note: '${db.password}'}\n")
    layers = ParallelGrant([YamlGrant(path), HardGrant({"db": {"host": "b", "password": "hunter2"}})])
    fakts = Fakts(ReferencesGrant(layers))
    assert fakts.get("db") == {"host": "b", "url": "x://me:hunter2@b", "note": "hunter2", "password": "hunter2"}
    assert "hunter2" not in f"{fakts.get()}{fakts.explain()}"


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"a": {"b": "${a.c}", "c": "${a.b}"}}, "references lead in a circle: a.c -> a.b -> a.c"),
        ({"a": {"b": "${a}"}}, "references lead in a circle: a -> a"),
        ({"a": {"bcd": "hunter2", "c": "${a.bce}"}}, "a.c: reference ${a.bce}: there is no 'a.bce'"),
        ({"a": {"x": 1}, "b": "hunter2 ${a}"}, "b: ${a} is part of a longer text and must lead to a text or a number"),
        (
            {"a": "x" * 1000, **{f"a{n}": f"${{a{n - 1 or ''}}}" * 10 for n in range(1, 5)}},
            "references expand to more than 1,000,000",
        ),
    ],
)
def test_malformed_references(facts: dict[str, Any], reason: str) -> None:
    """A circle, a missing path, a group within a text and an expansion without end are errors without values."""
    with pytest.raises(GrantError) as caught:
        loaded(ReferencesGrant(HardGrant(facts)))
    assert reason in str(caught.value)
    assert "hunter2" not in str(caught.value)


class _Flaky:
    """Fails a number of times."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.loads = 0

    async def aload(self, _: LoadRequest) -> dict[str, Any]:
        self.loads += 1
        if self.loads <= self.failures:
            raise GrantError(f"failure {self.loads}")
        return {"loads": self.loads}


def test_retry(log: Log) -> None:
    """A grant that fails is tried again, with a warning for each failure; the last error is raised."""
    assert loaded(RetryGrant(_Flaky(2), delay=0)) == {"loads": 3}
    reasons = [record.getMessage().rpartition(": ")[2] for record in log.of("grant is tried again")]
    assert reasons == ["failure 1", "failure 2"]
    with pytest.raises(GrantError, match="failure 2"):
        loaded(RetryGrant(_Flaky(5), attempts=2, delay=0))


def test_a_refusal_is_not_retried(endpoint: ScriptedEndpoint) -> None:
    """An endpoint that refuses is asked once; one that is unavailable is asked again."""
    discovery = StaticDiscovery(base_url=endpoint.base_url)
    manifest = Manifest(identifier="org.example.app", version="1")
    with pytest.raises(DemandError) as caught:
        loaded(RetryGrant(RedeemGrant(manifest=manifest, token="spent", discovery=discovery), delay=0))  # noqa: S106
    assert caught.value.refused
    assert len(endpoint.of("redeem")) == 1
    responses = iter([Scripted(status=503), Scripted(status=503)])
    endpoint.script["/f/redeem/"] = lambda _: next(responses, Scripted({"status": "granted", "token": "static-token"}))
    grant = RedeemGrant(manifest=manifest, token="one-time-token", discovery=discovery)  # noqa: S106
    assert loaded(RetryGrant(grant, delay=0)) == CONFIG
    assert len(endpoint.of("redeem")) == 4


def test_timeout() -> None:
    """A grant that takes too long is an error with the time; what it raises itself is unchanged."""

    async def hang(_: LoadRequest) -> dict[str, Any]:
        await anyio.sleep_forever()
        raise AssertionError

    with pytest.raises(GrantError, match=r"hang loaded no facts within 0\.01 s"):
        loaded(TimeoutGrant(hang, 0.01))
    assert loaded(TimeoutGrant(HardGrant({"a": 1}), 60)) == {"a": 1}
    with pytest.raises(GrantError, match="no"):
        loaded(TimeoutGrant(Failing("no"), 60))


@pytest.mark.parametrize(
    "make", [lambda: RetryGrant(HardGrant({}), attempts=0), lambda: TimeoutGrant(HardGrant({}), 0)]
)
def test_numbers_out_of_range(make: Any) -> None:
    """Numbers that make no sense are refused where they are written."""
    with pytest.raises(ValueError, match="must be"):
        make()


def test_stale_facts_if_the_grant_fails(tmp_path: Path, log: Log) -> None:
    """Each start asks the grant; if it fails, facts that are young enough are used, with a warning."""
    path = tmp_path / "cache"
    inner = Counting()
    grant = CacheGrant(inner, cache_file=path, expires_in=0, stale_if_error=3600)
    assert loaded(grant)["load"]["number"] == 1
    assert loaded(grant)["load"]["number"] == 2
    inner.failing = GrantError("the endpoint is away")
    assert loaded(grant)["load"]["number"] == 2
    (record,) = log.of("grant failed, and cached facts are used")
    assert record.levelno == logging.WARNING
    assert record.getMessage().endswith(f"{path}: the endpoint is away")
    with pytest.raises(GrantError, match="away"):
        loaded(grant, force_refresh=True)
    with pytest.raises(GrantError, match="away"):
        loaded(CacheGrant(inner, cache_file=path, expires_in=0, stale_if_error=0))
    with pytest.raises(GrantError, match="away"):
        loaded(CacheGrant(inner, cache_file=path, expires_in=0))


def test_a_refusal_ends_stale_facts(tmp_path: Path, endpoint: ScriptedEndpoint) -> None:
    """Facts of a token that was revoked are not used, although they are cached."""
    grant = RedeemGrant(
        manifest=Manifest(identifier="org.example.app", version="1"),
        token="one-time-token",  # noqa: S106
        discovery=StaticDiscovery(base_url=endpoint.base_url),
    )
    cached = CacheGrant(grant, cache_file=tmp_path / "cache", expires_in=0, stale_if_error=3600)
    assert loaded(cached) == CONFIG
    endpoint.script["/f/claim/"] = Scripted(status=503)
    assert loaded(cached) == CONFIG
    endpoint.script["/f/claim/"] = Scripted({"status": "error", "message": "revoked"})
    with pytest.raises(GrantError):
        loaded(cached)


@dataclass
class Database:
    host: str
    password: str


@dataclass
class _WithPort:
    host: str
    port: int


class _Wanted:
    def __init__(self) -> None:
        self.inner = Counting(remote={"key": 1}, database={"password": "hunter2"})
        local = HardGrant({"database": {"host": "a"}})
        self.grant = ParallelGrant([LazyGrant(self.inner), local])

    @property
    def loads(self) -> int:
        return len(self.inner.requests)


@pytest.mark.anyio
async def test_lazy_layers() -> None:
    """A lazy layer is asked when a path is missing, once, and is a layer like any other after that."""
    wanted = _Wanted()
    fakts = Fakts(wanted.grant)
    assert await fakts.aget("database.host") == "a"
    assert await fakts.aget("database") == {"host": "a"}
    assert wanted.loads == 0
    assert await fakts.aget("remote.key") == 1
    assert await fakts.aget("database") == {"host": "a", "password": "hunter2"}
    assert wanted.loads == 1
    assert wanted.inner.requests[0] == LoadRequest(may_ask=False, needs_all=True)
    await fakts.arefresh()
    assert wanted.loads == 2


def test_lazy_layers_and_what_else_may_lack() -> None:
    """A default, a class, and groups that must exist ask a lazy layer too, before they decide."""
    wanted = _Wanted()
    assert Fakts(wanted.grant).get("remote.key", default=5) == 1
    assert Fakts(_Wanted().grant).get("remote.other", default=5) == 5
    assert Fakts(_Wanted().grant).get("database", into=Database) == Database("a", "hunter2")
    assert Fakts(_Wanted().grant, assert_groups={"remote"}).get("remote") == {"key": 1}
    with pytest.raises(FactsShapeError, match="port"):
        Fakts(_Wanted().grant).get("database", into=_WithPort)
    with pytest.raises(GroupNotFound):
        Fakts(_Wanted().grant).get("remote.other")


def test_a_lazy_layer_that_fails() -> None:
    """A default does not hide that the layer that may have the value cannot be reached."""
    wanted = _Wanted()
    wanted.inner.failing = GrantError("the endpoint is away")
    fakts = Fakts(wanted.grant)
    assert fakts.get("database.host") == "a"
    with pytest.raises(GrantError, match="away"):
        fakts.get("remote.key", default=5)
    wanted.inner.failing = None
    assert fakts.get("remote.key", default=5) == 1
