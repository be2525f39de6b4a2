"""YAML, TOML and JSON files: valid, missing, malformed and hostile."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from heksherlite.errors import GrantError
from heksherlite.grants import Grant, JsonGrant, TomlGrant, YamlGrant
from tests.grants.loads import loaded

GRANTS: dict[str, Any] = {"yaml": YamlGrant, "toml": TomlGrant, "json": JsonGrant}

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(97 + n)}: &{chr(97 + n)} [{', '.join([f'*{chr(96 + n)}'] * 10)}]\n" for n in range(1, 20)
)
MERGE_BOMB = "a: &a {k: v}\n" + "".join(
    f"{chr(97 + n)}: &{chr(97 + n)} {{<<: [{', '.join([f'*{chr(96 + n)}'] * 10)}]}}\n" for n in range(1, 20)
)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("yaml", "database:\n  host: db\n  ports: [1, 2]\n"),
        ("yaml", "\ufeff{database: {host: db, ports: [1, 2]}}"),
        ("yaml", "base: &base {host: db}\ndatabase:\n  <<: *base\n  ports: [1, 2]\n"),
        ("toml", '[database]\nhost = "db"\nports = [1, 2]\n'),
        ("json", '{"database": {"host": "db", "ports": [1, 2]}}'),
    ],
)
def test_valid_files(kind: str, text: str, tmp_path: Path) -> None:
    """Each format is parsed, also after a byte order mark and with aliases."""
    path = tmp_path / "config"
    path.write_text(text, "utf-8")
    assert loaded(GRANTS[kind](path))["database"] == {"host": "db", "ports": [1, 2]}


@pytest.mark.parametrize(("kind", "text"), [("yaml", ""), ("yaml", "# nothing\n"), ("toml", ""), ("json", "{}")])
def test_empty_files(kind: str, text: str, tmp_path: Path) -> None:
    """An empty file has no facts, and is not an error."""
    path = tmp_path / "config"
    path.write_text(text, "utf-8")
    assert loaded(GRANTS[kind](path)) == {}


@pytest.mark.parametrize(
    ("kind", "content", "reason"),
    [
        ("yaml", b"a: [1, 2\nb: hunter2\n", "line 2, column 2: expected ',' or ']'"),
        ("yaml", b"a: b: hunter2", "line 1, column 5: mapping values are not allowed here"),
        ("yaml", b"a: *missing", "line 1, column 4: found undefined alias"),
        ("yaml", b"a: 1\n---\nb: 2\n", "line 2, column 1: but found another document"),
        ("yaml", b"a: \x00hunter2", "the character '\\x00' is not allowed in YAML"),
        ("yaml", b"a: 1\nb: \xff", "line 2, column 4: it is not UTF-8"),
        ("yaml", b"a: 1\nb: 2\na: hunter2", "line 3, column 1: duplicate key 'a'"),
        ("yaml", b"a:\n  yes: 1", "line 2, column 3: the key yes is not a string; put it in quotes"),
        ("yaml", b"1: x", "line 1, column 1: the key 1 is not a string; put it in quotes"),
        ("yaml", b"? [a]\n: 1", "line 1, column 3: the key is not a string; put it in quotes"),
        ("yaml", b"a: 2026-02-31", "invalid value: ValueError"),
        ("yaml", b"- a", "expected a mapping, not a value of type list"),
        ("yaml", b"just hunter2", "expected a mapping, not a value of type str"),
        ("yaml", b"a: !!python/object/apply:os.system [id]", "line 1, column 4: could not determine a constructor"),
        ("yaml", b"a: !!python/name:os.system", "line 1, column 4: could not determine a constructor"),
        ("yaml", b"!!python/object:x.Y {a: 1}", "line 1, column 1: could not determine a constructor"),
        ("yaml", b"a: &a [*a]", "line 1, column 4: an alias makes it contain itself"),
        ("yaml", b"a: &a\n  b: *a", "line 1, column 4: an alias makes it contain itself"),
        ("yaml", BOMB.encode(), "its aliases expand to more than 100,000 values"),
        ("yaml", MERGE_BOMB.encode(), "its aliases expand to more than 100,000 values"),
        ("yaml", b"[" * 10_000, "it has too many levels"),
        ("yaml", b"a: " + b"[" * 200 + b"]" * 200, "it has "),
        ("toml", b"a = 1\nb = hunter2", "line 2, column 5: Invalid value"),
        ("toml", b"a = 1\na = 2", "line 2, column 6: Cannot overwrite a value"),
        ("toml", b'a = 1\n\nb = "hunter2', "line 3, column 13: Unterminated string"),
        ("toml", b"a = " + b"[" * 100_000, "it has too many levels"),
        ("toml", b"\xff", "line 1, column 1: it is not UTF-8"),
        ("json", b'{"a": 1,\n "b": hunter2}', "line 2, column 7: Expecting value"),
        ("json", b"", "line 1, column 1: Expecting value"),
        ("json", b'{"a": NaN}', "NaN is not JSON"),
        ("json", b'{"a": {"b": 1, "b": 2}}', "duplicate key 'b' in an object"),
        ("json", b"[1]", "expected a mapping, not a value of type list"),
        ("json", b"[" * 100_000, "it has too many levels"),
        ("json", b'{"a": ' + b"1" * 5000 + b"}", "Exceeds the limit"),
        ("json", b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}", "it has more than 100 levels"),
    ],
)
def test_invalid_files(kind: str, content: bytes, reason: str, tmp_path: Path) -> None:
    """The error names the file, the position and the problem, and contains no values."""
    path = tmp_path / "config"
    path.write_bytes(content)
    with pytest.raises(GrantError) as caught:
        loaded(GRANTS[kind](path))
    assert str(caught.value).startswith(f"{path}: ")
    assert reason in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("kind", GRANTS)
def test_unreadable_files(kind: str, tmp_path: Path) -> None:
    """A missing file, a directory and an impossible path are errors that name the path."""
    for path, reason in [
        (tmp_path / "missing", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (tmp_path / ("x" * 300), "File name too long"),
    ]:
        grant: Grant = GRANTS[kind](path)
        with pytest.raises(GrantError) as caught:
            loaded(grant)
        assert str(caught.value) == f"{path}: {reason}"


def test_file_size_limit(tmp_path: Path) -> None:
    """A file is not read beyond the limit."""
    path = tmp_path / "config"
    with path.open("wb") as file:
        os.truncate(file.fileno(), 2**30)
    with pytest.raises(GrantError, match="larger than 16,777,216 bytes"):
        loaded(JsonGrant(path))


def test_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error contains the absolute path."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GrantError, match=str(tmp_path / "config.toml")):
        loaded(TomlGrant("config.toml"))


def test_without_the_extra(tmp_path: Path) -> None:
    """Where PyYAML is not installed, the error says what to install; the other formats work."""
    path = tmp_path / "config"
    path.write_text("{}")
    program = (
        "import sys\n"
        "sys.modules['yaml'] = None\n"
        "from heksherlite.grants import Fakts, JsonGrant, YamlGrant\n"
        f"assert Fakts(JsonGrant({str(path)!r})).load() == {{}}\n"
        f"Fakts(YamlGrant({str(path)!r})).load()\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert "PyYAML, which is not installed: pip install 'heksherlite[yaml]'" in result.stderr.splitlines()[-1]
    assert "GrantError" in result.stderr.splitlines()[-1]


@pytest.mark.parametrize("kind", GRANTS)
def test_optional_files(kind: str, tmp_path: Path) -> None:
    """With required=False, a missing file has no facts; a malformed or unreadable one is an error all the same."""
    path = tmp_path / "config"
    optional = GRANTS[kind](path, required=False)
    assert loaded(optional) == {}
    path.write_text("{", "utf-8")
    with pytest.raises(GrantError, match="config: "):
        loaded(optional)
    with pytest.raises(GrantError, match="directory"):
        loaded(GRANTS[kind](tmp_path, required=False))
