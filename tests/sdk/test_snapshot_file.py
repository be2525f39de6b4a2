"""The file of a client's snapshot: real files, real failures, real processes."""

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heksherlite.clients.snapshot_file import replace_file
from heksherlite.engine.snapshots import encode
from tests.sdk.conftest import Log
from tests.sdk.snapshots import FILTERS, file_at, snapshot_of

WRITER = """
import sys
from tests.sdk.snapshots import file_at, snapshot_of
file = file_at(sys.argv[1])
for number in range(200):
    file.write(snapshot_of(sys.argv[2].encode() * (1 + number * 500)))
"""

FULL_DISK = """
import logging, resource, sys
from tests.sdk.snapshots import file_at, snapshot_of
logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(levelname)s %(message)s")
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
file = file_at(sys.argv[1])
incompressible = bytes(i * i * i % 251 ^ i % 241 for i in range(100_000))
file.write(snapshot_of(incompressible))
file.write(snapshot_of(incompressible))
file.write(snapshot_of(b"small"))
"""

READ_ONLY = """
import ctypes, logging, os, sys
from tests.sdk.snapshots import file_at, snapshot_of
logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(levelname)s %(message)s")
if os.geteuid() == 0:  # permissions do not bind root, unless it gives up CAP_DAC_OVERRIDE: see capset(2)
    libc, header, sets = ctypes.CDLL(None), (ctypes.c_uint32 * 2)(0x20080522), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, sets) == 0
    sets[0] &= ~(1 << 1)
    assert libc.capset(header, sets) == 0
file_at(sys.argv[1]).write(snapshot_of(b"new"))
"""

NO_DESCRIPTORS = """
import logging, os, resource, sys
from tests.sdk.snapshots import file_at, snapshot_of
logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(levelname)s %(message)s")
file = file_at(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (os.dup(1), resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
file.write(snapshot_of(b"x"))
assert file.read("user:*") is None
"""


def messages(lines: list[str]) -> list[str]:
    """Return the fixed parts of log messages."""
    return [line.partition(":")[0] for line in lines]


def run(program: str, path: Path) -> list[str]:
    """Run a program with a path, and return what it printed."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(path)], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.splitlines()


def test_what_was_written_is_read(tmp_path: Path, log: Log) -> None:
    """A second file object reads what the first one wrote last, and nothing is logged."""
    for content in (b"one", b"two"):
        file_at(tmp_path).write(snapshot_of(content))
        assert file_at(tmp_path).read(FILTERS) == snapshot_of(content)
    assert log.caplog.records == []


def test_no_file_is_no_problem(tmp_path: Path, log: Log) -> None:
    """Where nothing was written yet, there is no snapshot and no warning, even if folders are missing."""
    for location in (tmp_path, tmp_path / "file", f"{tmp_path}/a/b/"):
        assert file_at(location).read(FILTERS) is None
    assert log.caplog.records == []


def test_files_and_folders(tmp_path: Path) -> None:
    """A folder, existing or named with a separator, holds a file of its own name; any other path is the file."""
    in_folder = file_at(tmp_path)
    assert in_folder.path.parent == tmp_path
    assert in_folder.path.name.endswith(".heksherlite-snapshot")
    assert file_at(f"{tmp_path}/new/").path == tmp_path / "new" / in_folder.path.name
    assert file_at(tmp_path / "new").path == tmp_path / "new"
    for location in (f"{tmp_path}/a/b/", tmp_path / "c" / "file"):
        file_at(location).write(snapshot_of())
        assert file_at(location).path.is_file()


def test_relative_locations_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program may change its folder: the file stays where it was."""
    monkeypatch.chdir(tmp_path)
    file = file_at("here/")
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    file.write(snapshot_of())
    assert [path.parent for path in tmp_path.rglob("*.heksherlite-snapshot")] == [tmp_path / "here"]


def test_each_client_has_its_name(tmp_path: Path) -> None:
    """In a folder, the name follows from the service and the context features, but not from credentials."""
    files = [
        file_at(tmp_path),
        file_at(tmp_path, "http://user:secret@host:8888"),
        file_at(tmp_path, "http://other:8888"),
        file_at(tmp_path, features=["user", "environment"]),
        file_at(tmp_path, features=["environment,user"]),
    ]
    names = [file.path.name for file in files]
    assert names[0] == names[1]
    assert len(set(names)) == 4


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    """Values may be secrets, so the file has mode 0600, also where there was one with another mode."""
    path = tmp_path / "file"
    path.touch(mode=0o644)
    file_at(path).write(snapshot_of())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_stays(tmp_path: Path) -> None:
    """Where the path is a link, the file that it leads to is replaced."""
    (tmp_path / "link").symlink_to(tmp_path / "file")
    file_at(tmp_path / "link").write(snapshot_of(b"x"))
    assert (tmp_path / "link").is_symlink()
    assert file_at(tmp_path / "file").read(FILTERS) == snapshot_of(b"x")


def other_user() -> int:
    """Return the id of another user than the one that runs the tests."""
    if os.geteuid() != 0:
        pytest.skip("only root can create files of other users")
    return 12345


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Return a directory in which all users can create files, like /tmp."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    return shared


def test_a_planted_link(shared: Path, tmp_path: Path, log: Log) -> None:
    """A link that another user placed in a shared directory is not followed, neither to read nor to write."""
    victim = tmp_path / "victim"
    file_at(victim).write(snapshot_of(b"x"))
    link = shared / "link"
    link.symlink_to(victim)
    os.lchown(link, other_user(), -1)
    file = file_at(link)
    assert file.read(FILTERS) is None
    assert "is a symbolic link of another user" in log.one("snapshot cannot be used")["reason"]
    assert not file.write(snapshot_of(b"y"))
    assert "is a symbolic link of another user" in log.one("snapshot cannot be written")["reason"]
    assert file_at(victim).read(FILTERS) == snapshot_of(b"x")


def test_a_planted_file(shared: Path, log: Log) -> None:
    """A file that another user placed in a shared directory is not read, and is replaced."""
    file = file_at(shared / "file")
    file.write(snapshot_of(b"x"))
    os.chown(file.path, other_user(), -1)
    assert file.read(FILTERS) is None
    assert "is a file of another user" in log.one("snapshot cannot be used")["reason"]
    assert file.write(snapshot_of(b"y"))
    assert file.read(FILTERS) == snapshot_of(b"y")


def test_links_and_files_of_other_users_in_a_private_directory(tmp_path: Path) -> None:
    """In a directory where only trusted users can create files, files and links of other users are used."""
    file_at(tmp_path / "file").write(snapshot_of(b"x"))
    (tmp_path / "link").symlink_to("file")
    os.lchown(tmp_path / "link", other_user(), -1)
    os.chown(tmp_path / "file", other_user(), -1)
    assert file_at(tmp_path / "link").read(FILTERS) == snapshot_of(b"x")


def test_a_loop_of_links(tmp_path: Path, log: Log) -> None:
    """A loop of links is a reason why a snapshot cannot be used or written, and nothing else."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    file = file_at(tmp_path / "a")
    assert file.read(FILTERS) is None
    assert "loop of symbolic links" in log.one("snapshot cannot be used")["reason"]
    assert not file.write(snapshot_of())


def make_folder(path: Path) -> None:
    path.unlink()
    (path / "folder").mkdir(parents=True)


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def make_large(path: Path) -> None:
    os.truncate(path, 2**30 + 1)


UNUSABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "it is truncated"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-1]), "it is truncated"),
    "corrupt": (lambda path: path.write_bytes(path.read_bytes() + b"x"), "it is corrupt"),
    "newer": (
        lambda path: path.write_bytes(path.read_bytes().replace(b'"version":1', b'"version":2')),
        "a newer heksherlite made it",
    ),
    "of something else": (lambda path: path.write_bytes(b"<html>"), "it is not a heksherlite snapshot"),
    "of another service": (
        lambda path: path.write_bytes(encode(snapshot_of(service="http://other"))),
        "of the service at http://other",
    ),
    "no file": (make_pipe, "it is not a regular file"),
    "too large": (make_large, "it is too large: 1,073,741,825 bytes, of at most 1,073,741,824"),
}


@pytest.mark.parametrize(("spoil", "reason"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_unusable_file_is_ignored(spoil: Callable[[Path], object], reason: str, tmp_path: Path, log: Log) -> None:
    """One WARNING says which file cannot be used and why, without credentials; there is no snapshot then."""
    file = file_at(tmp_path / "file", "http://user:secret@host:8888")
    file.write(snapshot_of(b"x"))
    spoil(file.path)
    assert file.read(FILTERS) is None
    record = log.one("snapshot cannot be used")
    assert (record["levelname"], record["path"]) == ("WARNING", str(file.path))
    assert reason in record["reason"]
    assert "secret" not in str(record)
    assert len(log.caplog.records) == 1


def test_other_tracked_contexts_are_foreign(tmp_path: Path, log: Log) -> None:
    """A file with the rules of other contexts is not used."""
    file_at(tmp_path).write(snapshot_of())
    assert file_at(tmp_path).read("user:(a)") is None
    assert "user:(a)" in log.one("snapshot cannot be used")["reason"]


@pytest.mark.parametrize("name", ["file/below", "\0", "x" * 300])
def test_unreadable_paths_are_ignored(name: str, tmp_path: Path, log: Log) -> None:
    """A path that cannot be read costs one WARNING."""
    (tmp_path / "file").touch()
    assert file_at(tmp_path / name).read(FILTERS) is None
    assert log.one("snapshot cannot be used")["levelname"] == "WARNING"


@pytest.mark.parametrize("name", ["file/below", "\0", "x" * 300])
def test_a_failing_write_is_logged_once(name: str, tmp_path: Path, log: Log) -> None:
    """Where nothing can be written, there is one WARNING, however often it is tried."""
    (tmp_path / "file").touch()
    file = file_at(tmp_path / name)
    for _ in range(3):
        file.write(snapshot_of())
    record = log.one("snapshot cannot be written")
    assert (record["levelname"], record["path"]) == ("WARNING", str(file.path))
    assert record["reason"]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_recovery_is_logged_once(tmp_path: Path, log: Log) -> None:
    """When writing works again, one INFO says so, and how often it failed; the next failure is a WARNING again."""
    obstacle = tmp_path / "obstacle"
    file = file_at(obstacle / "file")
    for repetition in (1, 2):
        obstacle.touch()
        file.write(snapshot_of())
        file.write(snapshot_of())
        obstacle.unlink()
        file.write(snapshot_of(b"x"))
        file.write(snapshot_of(b"y"))
        assert file.read(FILTERS) == snapshot_of(b"y")
        assert len(log.of("snapshot cannot be written")) == repetition
        records = log.of("snapshot can be written again")
        assert len(records) == repetition
        details: dict[str, Any] = vars(records[-1])
        assert (details["levelname"], details["path"], details["failures"]) == ("INFO", str(file.path), 2)
        assert details["seconds"] >= 0
        file.path.unlink()
        obstacle.rmdir()


def test_a_read_only_folder(tmp_path: Path) -> None:
    """A folder that may not be written to costs a warning, and what is there can still be read."""
    path = tmp_path / "folder" / "file"
    file_at(path).write(snapshot_of(b"old"))
    path.parent.chmod(0o500)
    try:
        assert messages(run(READ_ONLY, path)) == ["WARNING snapshot cannot be written"]
        assert file_at(path).read(FILTERS) == snapshot_of(b"old")
    finally:
        path.parent.chmod(0o700)


def test_a_full_disk(tmp_path: Path) -> None:
    """Where the file does not fit, the old one stays, nothing else remains, and it recovers once it fits."""
    path = tmp_path / "folder" / "file"
    file_at(path).write(snapshot_of(b"old"))
    output = run(FULL_DISK, path)
    assert messages(output) == ["WARNING snapshot cannot be written", "INFO snapshot can be written again"]
    assert file_at(path).read(FILTERS) == snapshot_of(b"small")
    assert list(path.parent.iterdir()) == [path]


def test_no_file_descriptors(tmp_path: Path) -> None:
    """At the limit of open files, writing and reading cost a warning each."""
    path = tmp_path / "file"
    file_at(path).write(snapshot_of(b"old"))
    assert messages(run(NO_DESCRIPTORS, path)) == [
        "WARNING snapshot cannot be written",
        "WARNING snapshot cannot be used",
    ]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failure_on_the_way_leaves_the_old_file(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever step fails, the old file stays, and the temporary one does not."""
    file = file_at(tmp_path / "file")
    file.write(snapshot_of(b"old"))

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "the disk broke")

    with monkeypatch.context() as patch:
        patch.setattr(os if failing == "fsync" else Path, failing, fail)
        file.write(snapshot_of(b"new"))
    assert file.read(FILTERS) == snapshot_of(b"old")
    assert list(tmp_path.iterdir()) == [file.path]


@pytest.mark.parametrize("make", [make_folder, make_pipe])
def test_only_files_are_replaced(make: Callable[[Path], None], tmp_path: Path) -> None:
    """Devices, pipes and folders stay what they are."""
    path = tmp_path / "file"
    path.touch()
    make(path)
    kind = stat.S_IFMT(path.stat().st_mode)
    with pytest.raises(FileExistsError, match="is not a regular file"):
        replace_file(path, b"")
    assert stat.S_IFMT(path.stat().st_mode) == kind


@pytest.mark.thorough
def test_processes_share_a_file(tmp_path: Path, log: Log) -> None:
    """While two processes write 200 times each, every read gets one whole snapshot, and nothing else remains."""
    file = file_at(tmp_path)
    file.write(snapshot_of(b"a"))
    reads = 0
    with (
        subprocess.Popen([sys.executable, "-W", "error", "-c", WRITER, tmp_path, "a"]) as one,
        subprocess.Popen([sys.executable, "-W", "error", "-c", WRITER, tmp_path, "b"]) as two,
    ):
        while one.poll() is None or two.poll() is None:
            snapshot = file.read(FILTERS)
            assert snapshot is not None
            assert set(snapshot.responses[0].content) in ({ord("a")}, {ord("b")})
            reads += 1
    assert (one.returncode, two.returncode) == (0, 0)
    assert reads > 100
    assert list(tmp_path.iterdir()) == [file.path]
    assert log.caplog.records == []
