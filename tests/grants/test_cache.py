"""The cache file of facts, with real files of other users and programs."""

import json
import logging
import os
import stat
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from heksherlite.errors import GrantError
from heksherlite.grants import CacheGrant
from tests.grants.loads import Counting, loaded
from tests.sdk.conftest import Log


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the file is."""
    return tmp_path / "cache.json"


def number(grant: CacheGrant, *, force_refresh: bool = False) -> int:
    """Return how many loads the inner grant had done when it gave these facts."""
    return int(loaded(grant, force_refresh=force_refresh)["load"]["number"])


def rewrite(path: Path, **members: Any) -> None:
    """Change members of the file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **members}))


def test_facts_are_cached(path: Path, log: Log) -> None:
    """A second grant, as in a second program, uses the cached facts; nothing is logged."""
    inner = Counting(text="ü", nested={"list": [1, None, True, 1.5]})
    first = loaded(CacheGrant(inner, cache_file=path))
    assert loaded(CacheGrant(inner, cache_file=path)) == first
    assert len(inner.requests) == 1
    assert log.caplog.records == []


def test_the_file_is_private(path: Path) -> None:
    """The mode is 0600 regardless of the umask and of an existing file, and no temporary file remains."""
    path.write_text("old")
    path.chmod(0o644)
    before = os.umask(0)
    try:
        loaded(CacheGrant(Counting(), cache_file=path))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [*path.parent.iterdir()] == [path]


def test_default_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default is .fakts_cache.json in the working directory at the time when the grant is created."""
    monkeypatch.chdir(tmp_path)
    grant = CacheGrant(Counting())
    monkeypatch.chdir("/")
    loaded(grant)
    assert [entry.name for entry in tmp_path.iterdir()] == [".fakts_cache.json"]


def test_refresh_bypasses_the_cache(path: Path) -> None:
    """A forced refresh calls the inner grant and caches the result."""
    inner = Counting()
    grant = CacheGrant(inner, cache_file=path)
    assert [number(grant), number(grant, force_refresh=True), number(grant)] == [1, 2, 2]
    assert inner.requests[-1].force_refresh


def test_skip_cache(path: Path) -> None:
    """With skip_cache the file is written but not read."""
    inner = Counting()
    assert [number(CacheGrant(inner, cache_file=path, skip_cache=True)) for _ in range(2)] == [1, 2]
    assert number(CacheGrant(inner, cache_file=path)) == 2


@pytest.mark.parametrize(
    ("age", "expires_in", "is_used"),
    [
        (0, 1000, True),
        (900, 1000, True),
        (1001, 1000, False),
        (10**9, None, True),
        (-5, 1000, True),
        (-999, None, False),
    ],
)
def test_expiry(age: float, expires_in: float | None, is_used: bool, path: Path, log: Log) -> None:
    """The file is used while it is younger than expires_in, and not if it is from the future."""
    grant = CacheGrant(Counting(), cache_file=path, expires_in=expires_in)
    loaded(grant)
    rewrite(path, created_at=time.time() - age)
    assert number(grant) == (1 if is_used else 2)
    assert len(log.of("cached facts are out of date")) == (not is_used)


def test_reasons_of_out_of_date_facts(path: Path, log: Log) -> None:
    """The log record says which file is not used, and why."""
    loaded(CacheGrant(Counting(), cache_file=path, hash="v1"))
    rewrite(path, created_at=time.time() - 50)
    loaded(CacheGrant(Counting(), cache_file=path, hash="v2"))
    rewrite(path, created_at=time.time() - 50)
    loaded(CacheGrant(Counting(), cache_file=path, hash="v2", expires_in=20))
    assert [record.getMessage() for record in log.of("cached facts are out of date")] == [
        f"cached facts are out of date: {path}: they were cached for another hash",
        f"cached facts are out of date: {path}: they are 50 s old, and expire after 20 s",
    ]


def test_hash_mismatch(path: Path) -> None:
    """Facts that were cached for another hash are replaced."""
    inner = Counting()
    assert [number(CacheGrant(inner, cache_file=path, hash=text)) for text in ("v1", "v1", "v2", "v2")] == [1, 1, 2, 2]


def symbolic_link(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def huge(path: Path) -> None:
    os.truncate(path, 2**30)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.write_bytes(b""), "it is not JSON"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "it is not JSON"),
        (lambda path: path.write_bytes(b"\xff\x00"), "it is not JSON"),
        (lambda path: path.write_bytes(b"[" * 100_000), "it has too many levels"),
        (lambda path: path.write_text("[]"), "it is not a cache file of heksherlite"),
        (lambda path: path.write_text('{"facts": {}, "config": {}}'), "it is not a cache file of heksherlite"),
        (lambda path: rewrite(path, version=2), "unsupported version 2"),
        (lambda path: rewrite(path, facts=["hunter2"]), "expected a mapping, not a value of type list"),
        (lambda path: rewrite(path, created_at="now"), "created_at is not a timestamp"),
        (lambda path: rewrite(path, created_at=float("nan")), "created_at is not a timestamp"),
        (lambda path: rewrite(path, created_at=10**400), "created_at is not a timestamp"),
        (lambda path: rewrite(path, created_at=10**12), "created_at is not a timestamp"),
        (lambda path: path.chmod(0o620), "other users can write to it"),
        (lambda path: path.chmod(0o602), "other users can write to it"),
        (lambda path: path.chmod(0o640), "other users can read it"),
        (lambda path: path.chmod(0o604), "other users can read it"),
        (symbolic_link, "it is a symbolic link"),
        (fifo, "it is not a regular file"),
        (huge, "it is larger than 67,108,864 bytes"),
    ],
)
def test_unusable_files(spoil: Callable[[Path], None], reason: str, path: Path, log: Log) -> None:
    """An unusable file is ignored with a warning that gives the reason, and replaced."""
    grant = CacheGrant(Counting(), cache_file=path)
    loaded(grant)
    spoil(path)
    assert number(grant) == 2
    record = log.one("cached facts cannot be used")
    assert (record["levelno"], record["path"], record["reason"]) == (logging.WARNING, str(path), reason)
    assert "hunter2" not in log.caplog.text
    assert number(grant) == 2
    assert path.is_file()
    assert not path.is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_file_of_another_user(path: Path, log: Log) -> None:
    """A file that belongs to another user is not used, and is replaced."""
    grant = CacheGrant(Counting(), cache_file=path)
    loaded(grant)
    rewrite(path, facts={"load": {"number": 666}})
    os.chown(path, 12345, 12345)
    assert number(grant) == 2
    assert log.one("cached facts cannot be used")["reason"] == "it belongs to another user"
    assert path.stat().st_uid == os.geteuid()


def test_writing_replaces_a_symbolic_link(path: Path, tmp_path: Path) -> None:
    """A symbolic link is replaced; its target is not changed."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path.symlink_to(victim)
    loaded(CacheGrant(Counting(), cache_file=path))
    assert victim.read_text() == "precious"
    assert not path.is_symlink()


def test_unwritable_file(tmp_path: Path, log: Log) -> None:
    """If the directory does not exist, the facts are returned and a warning is logged."""
    path = tmp_path / "missing" / "cache.json"
    assert number(CacheGrant(Counting(), cache_file=path)) == 1
    assert log.one("facts cannot be cached")["reason"] == "No such file or directory"


def test_values_that_json_does_not_have(path: Path, log: Log) -> None:
    """A date is returned but not cached, and a warning is logged."""
    inner = Counting(date=datetime.now(UTC))
    grant = CacheGrant(inner, cache_file=path)
    assert isinstance(loaded(grant)["date"], datetime)
    assert number(grant) == 2
    assert "datetime" in log.of("facts cannot be cached")[0].__dict__["reason"]
    assert not path.exists()


def test_errors_are_not_cached(path: Path) -> None:
    """The error of the inner grant is raised, and the cached facts are kept."""
    inner = Counting()
    grant = CacheGrant(inner, cache_file=path)
    loaded(grant)
    inner.failing = GrantError("no")
    with pytest.raises(GrantError, match="no"):
        loaded(grant, force_refresh=True)
    assert number(grant) == 1


def test_repr_has_no_values(path: Path) -> None:
    """The repr of the grant and of cached facts contain no values."""
    grant = CacheGrant(Counting(credentials={"password": "hunter2"}), cache_file=path)
    loaded(grant)
    assert "hunter2" not in repr(grant)
