"""Tokens that are kept between starts of a program, and facts for when the endpoint is away."""

import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import keyring.backend
import pytest

from heksherlite.errors import ClaimError, DemandError, DiscoveryError, FactsShapeError, GroupNotFound
from heksherlite.grants import (
    CacheGrant,
    DeviceCodeGrant,
    DeviceLogin,
    Endpoint,
    Fakts,
    FileTokenStore,
    KeyringTokenStore,
    RetrieveGrant,
    Secret,
    TokenStore,
)
from heksherlite.grants.remote.token_stores import state_directory
from tests.grants import remote_grants
from tests.grants.endpoint import CONFIG, Scripted, ScriptedEndpoint
from tests.grants.loads import loaded
from tests.grants.remote_grants import HIDDEN, MANIFEST, described
from tests.sdk.conftest import Log

redeem = partial(remote_grants.redeem, discover=described)


def device_code(endpoint: ScriptedEndpoint) -> tuple[DeviceCodeGrant, list[DeviceLogin]]:
    """Return a grant, and the list of the logins that it asks for. A person approves each of them at once."""
    logins: list[DeviceLogin] = []

    def approve(login: DeviceLogin) -> None:
        logins.append(login)
        endpoint.codes[login.code] = "granted"

    return remote_grants.device_code(endpoint, tell=approve), logins


def test_every_start_claims_fresh_facts(endpoint: ScriptedEndpoint) -> None:
    """A program that starts again uses its kept token, and gets what has changed; its one-time token is used once."""
    assert loaded(redeem(endpoint)) == CONFIG
    (token,) = endpoint.tokens.keys() - {"static-token"}
    endpoint.tokens[token] = {"new": {"key": 1}}
    for force_refresh in (False, True):
        assert loaded(redeem(endpoint), force_refresh=force_refresh) == {"new": {"key": 1}}
    assert len(endpoint.of("redeem")) == 1


def test_a_person_is_asked_once(endpoint: ScriptedEndpoint) -> None:
    """A program that starts again does not ask the person who approved it, nor leave another application behind."""
    first, logins = device_code(endpoint)
    assert loaded(first) == CONFIG
    again, asked = device_code(endpoint)
    assert loaded(again, force_refresh=True) == CONFIG
    assert (len(logins), asked) == (1, [])
    assert len(endpoint.of("start")) == 1


@pytest.mark.parametrize("script", ["/.well-known/fakts", "/f/claim/"])
def test_facts_while_the_endpoint_is_away(script: str, endpoint: ScriptedEndpoint, log: Log) -> None:
    """A start uses the kept facts if the endpoint is away and says so. A forced refresh does not."""
    loaded(redeem(endpoint))
    endpoint.script[script] = Scripted(status=503)
    fakts = Fakts(redeem(endpoint))
    assert fakts.load() == CONFIG
    assert "endpoint is away, kept facts are used" in log.caplog.text
    assert "503" in log.caplog.text
    assert "kept in" in str(fakts.explain("database"))
    with pytest.raises((ClaimError, DiscoveryError)):
        fakts.refresh()
    assert fakts.get() == CONFIG
    assert not any(secret in log.caplog.text + str(fakts.explain()) for secret in HIDDEN)


def test_a_revoked_token_is_rejected_once(endpoint: ScriptedEndpoint, log: Log) -> None:
    """A revoked token is logged once, its facts are used no longer, and then a new one is demanded."""
    loaded(redeem(endpoint))
    endpoint.tokens.clear()
    for _ in range(2):
        with pytest.raises(DemandError, match=r"\*{8} is spent"):
            loaded(redeem(endpoint))
    assert log.caplog.text.count("kept token was rejected: org.example.app at") == 1
    endpoint.script["/.well-known/fakts"] = Scripted(status=503)
    with pytest.raises(DiscoveryError):
        loaded(redeem(endpoint))
    endpoint.script.clear()
    endpoint.one_time.add("one-time-token")  # invited again
    assert loaded(redeem(endpoint)) == CONFIG
    assert loaded(redeem(endpoint)) == CONFIG
    assert not any(secret in log.caplog.text for secret in HIDDEN)


def test_a_cache_of_a_revoked_program(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    """A cache file is deleted when the endpoint refuses the program, and stays while the endpoint is away."""
    file = tmp_path / "cache"
    loaded(CacheGrant(redeem(endpoint), cache_file=file))
    endpoint.script["/f/claim/"] = Scripted(status=503)
    with pytest.raises(ClaimError):
        loaded(CacheGrant(redeem(endpoint), cache_file=file), force_refresh=True)
    endpoint.script.clear()
    assert file.exists()
    endpoint.tokens.clear()
    with pytest.raises(DemandError):
        loaded(CacheGrant(redeem(endpoint), cache_file=file), force_refresh=True)
    assert not file.exists()


def test_a_missing_key_asks_nobody(endpoint: ScriptedEndpoint) -> None:
    """Neither a missing key nor a revoked token starts an approval, unless the program refreshes the facts."""
    grant, logins = device_code(endpoint)
    fakts = Fakts(grant)
    fakts.load()
    endpoint.tokens.clear()
    with pytest.raises(GroupNotFound, match="reloading the facts failed") as caught:
        fakts.get("ui.theme")
    assert "a person has to approve, and this load may not ask" in str(caught.value.__cause__)
    assert len(logins) == 1
    assert fakts.refresh() == CONFIG
    assert len(logins) == 2


def test_files(endpoint: ScriptedEndpoint) -> None:
    """Tokens and facts are in files that only the user can read, below a folder that only the user can open."""
    loaded(redeem(endpoint))
    directory = state_directory()
    assert directory == Path(os.environ["XDG_STATE_HOME"]) / "heksherlite" / "applications"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    files = sorted(directory.iterdir())
    assert sorted(path.name.partition(".")[2] for path in files) == ["facts.json", "lock", "token"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_one_file_for_each_endpoint_and_identifier(tmp_path: Path) -> None:
    """Tokens of other endpoints and applications are not mixed up."""
    store = FileTokenStore(tmp_path / "tokens")
    assert isinstance(store, TokenStore)
    for endpoint in ("https://a/", "https://b/"):
        for identifier in ("one", "two"):
            assert store.get(endpoint, identifier) is None
            store.set(endpoint, identifier, Secret(endpoint + identifier))
    store.delete("https://a/", "one")
    store.delete("https://a/", "one")
    assert store.get("https://a/", "one") is None
    assert store.get("https://b/", "two") == Secret("https://b/two")
    assert "https" not in repr(store)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b"{}", b"[" * 9999, b'{"format": "heksherlite-token", "version": 1}']
)
def test_damaged_files(content: bytes, endpoint: ScriptedEndpoint, log: Log) -> None:
    """A damaged file of a token is logged and replaced."""
    loaded(redeem(endpoint))
    endpoint.one_time.add("one-time-token")
    (path,) = state_directory().glob("*.token")
    path.write_bytes(content)
    assert loaded(redeem(endpoint)) == CONFIG
    assert "token store failed: the kept token cannot be used: " in log.caplog.text
    assert f"{path}: it is not a token of heksherlite" in log.caplog.text
    assert json.loads(path.read_bytes())["identifier"] == "org.example.app"


def test_files_that_others_can_read(endpoint: ScriptedEndpoint, log: Log) -> None:
    """A token that other users can read is not used."""
    loaded(redeem(endpoint))
    endpoint.one_time.add("one-time-token")
    (path,) = state_directory().glob("*.token")
    path.chmod(0o644)
    loaded(redeem(endpoint))
    assert f"{path}: other users can read it" in log.caplog.text
    assert len(endpoint.of("redeem")) == 2


def test_a_folder_that_cannot_be_made(tmp_path: Path, endpoint: ScriptedEndpoint, log: Log) -> None:
    """Where nothing can be kept, the program runs, the log says what could not be kept, and refreshes work."""
    tmp_path.joinpath("file").touch()
    fakts = Fakts(redeem(endpoint, token_store=FileTokenStore(tmp_path / "file" / "tokens")))
    assert fakts.load() == fakts.refresh() == CONFIG
    for problem in ("the token cannot be kept", "the facts cannot be kept", "the token cannot be locked"):
        assert f"token store failed: {problem}: " in log.caplog.text
    assert len(endpoint.of("redeem")) == 1


def test_a_user_without_home(endpoint: ScriptedEndpoint, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of a user without home directory runs, and the log says what to do."""

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    fakts = Fakts(redeem(endpoint))
    assert fakts.load() == fakts.refresh() == CONFIG
    assert "this user has no home directory; set XDG_STATE_HOME or pass a directory" in log.caplog.text
    assert "RedeemGrant" in repr(fakts)


def test_without_a_store(endpoint: ScriptedEndpoint) -> None:
    """Without a store, nothing is written, and the token is kept while the program runs."""
    fakts = Fakts(redeem(endpoint, token_store=None))
    assert fakts.load() == fakts.refresh() == CONFIG
    assert not state_directory().exists()
    with pytest.raises(DemandError):
        loaded(redeem(endpoint, token_store=None))


def test_a_store_of_the_program(endpoint: ScriptedEndpoint, log: Log) -> None:
    """Any object with the methods is a store. Whatever it raises is logged."""

    class Own:
        def __init__(self) -> None:
            self.tokens: dict[tuple[str, str], Secret] = {}
            self.failing = False

        def get(self, endpoint: str, identifier: str) -> Secret | None:
            if self.failing:
                raise FactsShapeError(None, {})
            return self.tokens.get((endpoint, identifier))

        def set(self, endpoint: str, identifier: str, token: Secret) -> None:
            self.tokens[endpoint, identifier] = token

        def delete(self, endpoint: str, identifier: str) -> None:
            del self.tokens[endpoint, identifier]

    store = Own()
    loaded(redeem(endpoint, token_store=store))
    assert store.tokens.keys() == {(f"{endpoint.base_url}claim/", "org.example.app")}
    assert loaded(redeem(endpoint, token_store=store)) == CONFIG
    endpoint.tokens.clear()
    endpoint.one_time.add("one-time-token")
    loaded(redeem(endpoint, token_store=store))
    store.failing = True
    endpoint.one_time.add("one-time-token")
    assert loaded(redeem(endpoint, token_store=store)) == CONFIG
    assert "token store failed: the kept token cannot be used" in log.caplog.text


class MemoryKeyring(keyring.backend.KeyringBackend):
    """A keyring without a desktop."""

    priority = 1  # pyright: ignore[reportAssignmentType]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.passwords: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.passwords.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.passwords[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.passwords[service, username]


def test_keyring(endpoint: ScriptedEndpoint) -> None:
    """The keyring of the system has the token, which is deleted when it is revoked."""
    before, memory = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(memory)
    try:
        store = KeyringTokenStore()
        for _ in range(2):
            assert loaded(redeem(endpoint, token_store=store)) == CONFIG
        assert memory.passwords.keys() == {("heksherlite", f"org.example.app {endpoint.base_url}claim/")}
        endpoint.tokens.clear()
        with pytest.raises(DemandError):
            loaded(redeem(endpoint, token_store=store))
        assert memory.passwords == {}
        store.delete("https://none/", "none")
    finally:
        keyring.set_keyring(before)


def test_without_the_extra() -> None:
    """Where keyring is not installed, the error says what to install."""
    program = (
        "import sys; sys.modules['keyring'] = None\n"
        "from heksherlite.grants import KeyringTokenStore\n"
        "try: KeyringTokenStore().get('https://host/', 'app')\n"
        "except Exception as error: print(error)"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "pip install 'heksherlite[keyring]'" in printed


def test_an_endpoint_that_anybody_can_announce(endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kept token is not sent to an endpoint that a beacon announced, unless a certificate proves its URL."""
    monkeypatch.setattr("heksherlite.grants.remote.kept.is_loopback", lambda _: False)  # the tests are on this machine

    class Beacon:
        async def adiscover(self) -> Endpoint:
            return Endpoint(name="beacon", base_url=endpoint.base_url, is_pinned=False)

    for _ in range(2):
        loaded(RetrieveGrant(manifest=MANIFEST, redirect_uri="http://localhost", discovery=Beacon()))
    assert len(endpoint.of("retrieve")) == 2


def test_grants_that_load_at_once(endpoint: ScriptedEndpoint) -> None:
    """Of several grants that load at the same time, one exchanges the one-time token, and all get the facts."""
    with ThreadPoolExecutor(4) as pool:
        results = [pool.submit(loaded, redeem(endpoint)) for _ in range(4)]
        assert [result.result() for result in results] == [CONFIG] * 4
    assert len(endpoint.of("redeem")) == 1


@pytest.mark.thorough
def test_two_programs_that_start_at_once(endpoint: ScriptedEndpoint) -> None:
    """Of two processes that start at the same time, one exchanges the one-time token, and both get their facts."""
    program = (
        "import sys\n"
        "from heksherlite.grants import *\n"
        "manifest = Manifest(identifier='org.example.app', version='1')\n"
        "discovery = WellKnownDiscovery(url=sys.argv[1])\n"
        "print(sorted(Fakts(RedeemGrant(manifest=manifest, token='one-time-token', discovery=discovery)).load()))\n"
    )
    command = [sys.executable, "-c", program, endpoint.url]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0].strip() for process in processes] == [str(sorted(CONFIG))] * 2
    assert len(endpoint.of("redeem")) == 1
