"""The secrets in a database are encrypted with keys from outside of it, and the keys can be replaced."""

import asyncio
import base64
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from heksherlite.cli.commands import heksherlite
from heksherlite.errors import ServiceStartError
from heksherlite.service import embedded
from heksherlite.service.domain.applications import Approval, registered
from heksherlite.service.domain.authors import BY_SERVICE
from heksherlite.service.errors import DatabaseUnavailableError
from heksherlite.service.storage.access import AccessStore
from heksherlite.service.storage.applications import Applications
from heksherlite.service.storage.encryption import cipher_from_environment
from heksherlite.service.storage.groups import Groups
from heksherlite.service.storage.urls import open_database
from tests.service.stores import run_sql

KEY, FILE, COMMAND = (f"HEKSHERLITE_SECRETS_KEY{end}" for end in ("", "_FILE", "_COMMAND"))
ONE, TWO = (base64.b64encode(bytes([number] * 32)).decode() for number in (251, 2))  # the first has a slash
SELECT = "SELECT value FROM group_secrets UNION SELECT public_token FROM applications UNION SELECT key FROM keys"


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (KEY, FILE, COMMAND):
        monkeypatch.delenv(name, raising=False)


def read(database: str) -> tuple[str, str]:
    """Return the secret of a group and the signing key, as a service with the keys of the environment knows them."""

    async def work() -> tuple[str, str]:
        opened = open_database(database)
        await opened.prepare()
        try:
            state = await AccessStore(opened).read()
            return state.secrets["password"], state.signing_keys.current
        finally:
            await opened.close()

    return asyncio.run(work())


def fill(database: str) -> None:
    async def work() -> None:
        opened = open_database(database)
        await opened.prepare()
        try:
            access = AccessStore(opened)
            await Groups(access).put_secret("password", "hunter2", BY_SERVICE)
            await Applications(access).add(registered("a", Approval(), now=1), BY_SERVICE)
        finally:
            await opened.close()

    asyncio.run(work())


def rekey(database: str) -> str:
    result = CliRunner().invoke(heksherlite, ["rekey", "--database", database])
    assert result.exit_code == 0, result.output
    return result.output


def test_secrets_are_encrypted_and_their_key_replaced(
    new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database without encryption gets it, then another key; whoever lacks the key is told, and reads nothing."""
    database = new_database()
    fill(database)
    plain = read(database)
    assert "hunter2" in {stored for (stored,) in run_sql(database, SELECT)}
    monkeypatch.setenv(KEY, ONE)
    assert read(database) == plain
    assert rekey(database) == "3 secrets are encrypted with the first key\n"
    assert all(stored.startswith("fernet:") for (stored,) in run_sql(database, SELECT))
    assert read(database) == plain
    monkeypatch.setenv(KEY, f"{TWO}\n{ONE}\n")
    rekey(database)
    monkeypatch.setenv(KEY, TWO)
    assert read(database) == plain
    monkeypatch.setenv(KEY, ONE)
    with pytest.raises(DatabaseUnavailableError, match="not among the secrets keys"):
        read(database)
    monkeypatch.delenv(KEY)
    with pytest.raises(DatabaseUnavailableError, match="give their key by --secrets-key-file"):
        read(database)
    with pytest.raises(ServiceStartError), embedded(database):
        pass


def test_new_secrets_are_encrypted(new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that is stored with a key can be read in the database."""
    database = new_database()
    monkeypatch.setenv(KEY, ONE)
    fill(database)
    query = "SELECT value FROM group_secrets UNION SELECT public_token FROM applications"
    stored = {secret for (secret,) in run_sql(database, query)}
    assert len(stored) == 2
    assert all(secret.startswith("fernet:") for secret in stored)
    assert read(database)[0] == "hunter2"


def test_the_key_comes_from_a_file_or_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each source gives the same keys."""
    path = tmp_path / "key"
    path.write_text(f"{ONE}\n{TWO}\n")
    encrypted = cipher_from_environment({KEY: ONE}).encrypt("x")
    assert cipher_from_environment({FILE: str(path)}).decrypt(encrypted) == "x"
    command = f"{sys.executable} -c \"print(open('{path}').read())\""
    assert cipher_from_environment({COMMAND: command}).decrypt(encrypted) == "x"
    assert os.environ.get(KEY) is None
    monkeypatch.setenv(FILE, str(path))
    result = CliRunner().invoke(heksherlite, ["rekey", "--database", f"sqlite:///{tmp_path}/none.db"])
    assert "there is no database" in result.output


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({KEY: "short"}, "a secrets key is malformed; expected 32 bytes in base64"),
        ({KEY: " "}, "HEKSHERLITE_SECRETS_KEY gives no secrets key"),
        ({KEY: ONE, FILE: "x"}, "given more than once: by HEKSHERLITE_SECRETS_KEY and HEKSHERLITE_SECRETS_KEY_FILE"),
        ({FILE: "/nowhere/key"}, "the file with the secrets key cannot be read"),
        ({COMMAND: "false"}, "the command for the secrets key failed"),
        ({COMMAND: "no-such-command"}, "the command for the secrets key failed"),
    ],
)
def test_an_unusable_key_is_told(environment: dict[str, str], message: str) -> None:
    """The message says which source gives what is wrong, and never the key."""
    with pytest.raises(ServiceStartError, match=message):
        cipher_from_environment(environment)


def test_rekeying_needs_a_key(tmp_path: Path) -> None:
    """Without a key there is nothing to encrypt with."""
    database = f"sqlite:///{tmp_path}/a.db"
    fill(database)
    result = CliRunner().invoke(heksherlite, ["rekey", "--database", database])
    assert result.exit_code == 1
    assert "there is no secrets key; give one by --secrets-key-file" in result.output
