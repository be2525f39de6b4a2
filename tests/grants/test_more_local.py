"""Facts from .env files, directories of secrets, and files that variables name."""

import subprocess
import sys
from pathlib import Path

import pytest

from heksherlite.errors import GrantError
from heksherlite.grants import DotenvGrant, EnvGrant, Fakts, SecretsDirGrant
from tests.grants.loads import loaded


def test_dotenv_file(tmp_path: Path) -> None:
    """A .env file is read like the environment, with its quotes, comments, line breaks and references."""
    path = tmp_path / ".env"
    path.write_text(
        "# a comment\n"
        "HOST=db.local\n"
        "export FAKTS_DATABASE__HOST=${HOST}\n"
        "FAKTS_DATABASE__PORT=5432  # a comment\n"
        "FAKTS_DATABASE__NOTE='a # b'\n"
        'FAKTS_DATABASE__KEY="one\ntwo"\n'
        "FAKTS_DATABASE__USER=${USER_OF_DATABASE:-me}\n"
        "FAKTS_DATABASE__URL=${database.host}:1\n"
    )
    assert loaded(DotenvGrant(path)) == {
        "database": {
            "host": "db.local",
            "port": "5432",
            "note": "a # b",
            "key": "one\ntwo",
            "user": "me",
            "url": "${database.host}:1",
        }
    }
    fakts = Fakts(DotenvGrant(path))
    fakts.load()
    assert f"{path}, FAKTS_DATABASE__PORT" in str(fakts.explain("database.port"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A=1\n\n\nFAKTS_A b\n", "line 4, column 1: expected NAME=value"),
        ("FAKTS_A='hunter2\n", "line 1, column 1: expected NAME=value"),
        ("A=1\nFAKTS_A\n", "line 2, column 1: expected NAME=value"),
        (
            "FAKTS_A=hunter2${NOT_SET_ANYWHERE}\n",
            "line 1, column 1: FAKTS_A refers to NOT_SET_ANYWHERE, which is not set",
        ),
        ("FAKTS_A=1\nFAKTS_A__B=hunter2\n", "variable FAKTS_A makes a a value, and FAKTS_A__B makes it a group"),
    ],
)
def test_malformed_dotenv_files(text: str, reason: str, tmp_path: Path) -> None:
    """A malformed file is an error with path and line, also if the file need not exist, and without values."""
    path = tmp_path / ".env"
    path.write_text(text)
    with pytest.raises(GrantError) as caught:
        loaded(DotenvGrant(path, required=False))
    assert str(caught.value).startswith(f"{path}: ")
    assert reason in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_files_and_directories_that_need_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing source is an error with its path, unless it is not required."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    missing = tmp_path / "missing"
    for grant in (DotenvGrant, SecretsDirGrant):
        assert loaded(grant(missing, required=False)) == {}
        with pytest.raises(GrantError, match=str(missing)):
            loaded(grant(missing))


def test_without_python_dotenv(tmp_path: Path) -> None:
    """Without the extra, the error names it, and everything else works."""
    (tmp_path / ".env").write_text("FAKTS_A=1")
    program = (
        "import sys; sys.modules['dotenv'] = None\n"
        "from heksherlite.grants import DotenvGrant, Fakts\n"
        f"Fakts(DotenvGrant({str(tmp_path / '.env')!r})).load()"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert "pip install 'heksherlite[dotenv]'" in finished.stderr.splitlines()[-1]


def test_directory_of_secrets(tmp_path: Path) -> None:
    """Each file is a value, names and subdirectories are groups, and the links of Kubernetes are followed."""
    (tmp_path / "database__password").write_text("hunter2\n")
    (tmp_path / "apiKey").write_text("line 1\nline 2\n\n")
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls" / "key").write_text("secret")
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "token").write_text("abc")
    (tmp_path / "token").symlink_to("..data/token")
    fakts = Fakts(SecretsDirGrant(tmp_path))
    assert fakts.get() == {
        "database": {"password": "hunter2"},
        "apiKey": "line 1\nline 2\n",
        "tls": {"key": "secret"},
        "token": "abc",
    }
    shown = f"{fakts.get()}{fakts.explain()}"
    assert not any(secret in shown for secret in ("hunter2", "line 1", "'secret'", "abc"))
    assert str(tmp_path / "tls" / "key") in str(fakts.explain("tls"))


def test_systemd_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a path, the credentials of a systemd unit are read."""
    (tmp_path / "database__password").write_text("hunter2")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert loaded(SecretsDirGrant()) == {"database": {"password": "hunter2"}}


def test_unusable_secrets(tmp_path: Path) -> None:
    """Names that contradict each other, and contents that are no text, are errors with the paths."""
    (tmp_path / "a__b").write_text("hunter2")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_text("hunter2")
    with pytest.raises(GrantError, match=r"both set a\.b") as caught:
        loaded(SecretsDirGrant(tmp_path))
    assert str(tmp_path / "a__b") in str(caught.value)
    (tmp_path / "a__b").write_bytes(b"\xff")
    with pytest.raises(GrantError, match=r"a__b: line 1, column 1: it is not UTF-8"):
        loaded(SecretsDirGrant(tmp_path))


def test_variables_that_name_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a suffix, a variable has the content of the file that it names, which is secret."""
    path = tmp_path / "password"
    path.write_text("swordfish\n")
    monkeypatch.setenv("FAKTS_DATABASE__LOGIN_FILE", str(path))
    monkeypatch.setenv("FAKTS_DATABASE__HOST", "a")
    assert loaded(EnvGrant()) == {"database": {"login_file": str(path), "host": "a"}}
    fakts = Fakts(EnvGrant(file_suffix="_FILE"))
    assert fakts.get() == {"database": {"login": "swordfish", "host": "a"}}
    shown = f"{fakts.get()}{fakts.explain()}"
    assert "swordfish" not in shown
    assert "environment variable FAKTS_DATABASE__LOGIN_FILE" in shown
    monkeypatch.setenv("FAKTS_DATABASE__LOGIN", "b")
    with pytest.raises(GrantError, match="FAKTS_DATABASE__LOGIN and FAKTS_DATABASE__LOGIN_FILE both set"):
        loaded(EnvGrant(file_suffix="_FILE"))
    monkeypatch.delenv("FAKTS_DATABASE__LOGIN")
    path.unlink()
    with pytest.raises(GrantError, match=f"FAKTS_DATABASE__LOGIN_FILE: {path}: No such file"):
        loaded(EnvGrant(file_suffix="_FILE"))
