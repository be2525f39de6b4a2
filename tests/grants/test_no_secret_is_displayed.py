"""A distinctive secret goes into every grant, everything is displayed and every error is provoked: it is nowhere."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner

from heksherlite import ThreadHeksherClient
from heksherlite.cli.commands import heksherlite
from heksherlite.errors import HeksherError
from heksherlite.grants import (
    BelowGrant,
    CacheGrant,
    DotenvGrant,
    EnvGrant,
    FailsafeGrant,
    Fakts,
    GrantError,
    HardGrant,
    JsonGrant,
    LazyGrant,
    LoadRequest,
    ParallelGrant,
    PartGrant,
    ReferencesGrant,
    RemoteGrant,
    RenameGrant,
    RetryGrant,
    Secret,
    SecretsDirGrant,
    StaticDiscovery,
    StaticGrant,
    TimeoutGrant,
    TomlGrant,
    WellKnownDiscovery,
    YamlGrant,
)
from heksherlite.grants.grant import load
from heksherlite.integrations.graphql import graphql_client
from heksherlite.integrations.oauth2 import OAuth2Auth
from tests.grants.endpoint import Received, Scripted, ScriptedEndpoint
from tests.grants.remote_grants import device_code, redeem, retrieve, static
from tests.grants.tracebacks import shown
from tests.sdk.conftest import Log

SECRET = "tr0ub4dor-and-3-staples"  # noqa: S105
FACTS: dict[str, Any] = {
    "database": {
        "password": SECRET,
        "url": f"postgres://jane:{SECRET}@db/shop",
        "port": 5432,
        "tokens": {"api_key": [SECRET]},
    }
}


@dataclass
class Int:
    """A class that no secret fits."""

    password: int


@dataclass
class Wrong:
    """A class that the facts do not fit."""

    database: Int


class Displayed:
    """All that is displayed of a grant."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def add(self, *values: object) -> None:
        for value in values:
            self.texts += [repr(value), str(value)] if not isinstance(value, str) else [value]

    def error(self, error: BaseException) -> None:
        """Add an error, and its traceback with the local variables of the package."""
        self.add(error, shown(error))
        if error.__cause__ is not None:
            self.add(error.__cause__)

    def attempt(self, function: Callable[..., object], *arguments: Any, **options: Any) -> None:
        try:
            result = function(*arguments, **options)
        except (HeksherError, ValueError, TypeError) as error:
            self.error(error)
        else:
            self.texts.append(repr(result))


@pytest.fixture
def displayed(log: Log) -> Iterator[Displayed]:
    """Return a collection of texts that must not contain the secret after the test."""
    logging.getLogger("heksherlite").setLevel(logging.DEBUG)
    everything = Displayed()
    try:
        yield everything
        formatter = logging.Formatter("%(message)s")
        for record in log.caplog.records:
            everything.add(formatter.format(record), {name: repr(value) for name, value in vars(record).items()})
        assert everything.texts
        found = [text for text in everything.texts if SECRET in text or SECRET[:12] in text]
        assert found == []
    finally:
        logging.getLogger("heksherlite").setLevel(logging.NOTSET)


def exercise(displayed: Displayed, grant: Any, *, loads: bool) -> None:
    """Display everything of a loader, and read it in all wrong ways."""
    fakts = Fakts(grant)
    displayed.add(grant, fakts)
    try:
        fakts.load()
    except GrantError as error:
        displayed.error(error)
    assert bool(fakts.loaded_fakts) == loads, "".join(displayed.texts)
    displayed.add(fakts, fakts.status)
    if loads:
        assert SECRET in json.dumps(fakts.loaded_fakts)  # the case is one
        displayed.add(repr(fakts.get()), fakts.explain())
        displayed.add(fakts._loads.loaded, anyio.run(load, fakts._grant, LoadRequest()))
    for into in (Int, Wrong, int, list[int], dict[str, int]):
        for path in (None, *fakts.loaded_fakts, "database.password", "database.url", "a"):
            displayed.attempt(fakts.get, path, into=into)
    displayed.attempt(fakts.get, "database.passwort")
    displayed.attempt(Fakts(grant, into=Wrong).load)
    displayed.attempt(Fakts(grant, assert_groups={"missing"}).load)
    for wrapped in (RetryGrant(grant, attempts=2, delay=0), TimeoutGrant(grant, 60), LazyGrant(grant)):
        displayed.add(wrapped)
        displayed.attempt(Fakts(FailsafeGrant([wrapped])).load)
    displayed.attempt(Fakts(ParallelGrant([grant, grant], omit_exceptions=True)).load)


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(0o600)
    return path


YAML = f"database:\n  password: {SECRET}\n"
FILES: dict[str, Callable[[Path], Any]] = {
    "yaml": lambda path: YamlGrant(written(path, YAML)),
    "json": lambda path: JsonGrant(written(path, json.dumps(FACTS))),
    "toml": lambda path: TomlGrant(written(path, f'[database]\npassword = "{SECRET}"\n')),
    "dotenv": lambda path: DotenvGrant(written(path, f"FAKTS_DATABASE__PASSWORD={SECRET}\n")),
    "hard": lambda _: HardGrant(FACTS),
    "a reference in another text": lambda _: ReferencesGrant(
        HardGrant({**FACTS, "dsn": {"text": "host=db pass=${database.password}"}})
    ),
    "a reference": lambda _: ReferencesGrant(HardGrant({**FACTS, "x": {"y": "${database.password}"}})),
    "below": lambda _: BelowGrant(HardGrant(FACTS), "part"),
    "a part": lambda _: PartGrant(HardGrant({"credentials": {"database": {"word": SECRET}}}), "credentials"),
    "renamed": lambda _: RenameGrant(HardGrant(FACTS), {"database.password": "database.word"}),
    "cached": lambda path: CacheGrant(HardGrant(FACTS), cache_file=path),
}
MALFORMED: dict[str, Callable[[Path], Any]] = {
    "yaml quote": lambda path: YamlGrant(written(path, f'database:\n  password: "{SECRET}\n')),
    "yaml bracket": lambda path: YamlGrant(written(path, f"database: [{SECRET}\n")),
    "yaml tag": lambda path: YamlGrant(written(path, f"database: !{SECRET} x\n")),
    "yaml alias": lambda path: YamlGrant(written(path, f"database: *{SECRET}\n")),
    "yaml key": lambda path: YamlGrant(written(path, f"? [{SECRET}]\n: 1\n")),
    "yaml text": lambda path: YamlGrant(written(path, SECRET)),
    "yaml bytes": lambda path: YamlGrant(written(path, f"a: {SECRET}".encode() + b"\xff")),
    "json": lambda path: JsonGrant(written(path, f'{{"password": "{SECRET}"')),
    "json text": lambda path: JsonGrant(written(path, json.dumps(SECRET))),
    "toml": lambda path: TomlGrant(written(path, f"password = {SECRET}")),
    "dotenv": lambda path: DotenvGrant(written(path, f'FAKTS_DATABASE__PASSWORD="{SECRET}')),
    "dotenv conflict": lambda path: DotenvGrant(written(path, f"FAKTS_A={SECRET}\nFAKTS_A__B=1")),
    "no reference": lambda _: ReferencesGrant(HardGrant({"a": {"password": SECRET + "${b.c}"}})),
    "a circle": lambda _: ReferencesGrant(HardGrant({"a": {"password": SECRET + "${a.password}"}})),
    "no part": lambda _: PartGrant(HardGrant({"a": {"password": SECRET}}), "a.password"),
    "renamed to what exists": lambda _: RenameGrant(HardGrant(FACTS), {"database.port": "database.password"}),
}


@pytest.mark.parametrize("name", FILES)
def test_local_grants(name: str, tmp_path: Path, displayed: Displayed) -> None:
    """A secret in a file, a constant, a combination or a cache."""
    exercise(displayed, FILES[name](tmp_path / "file"), loads=True)


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_sources(name: str, tmp_path: Path, displayed: Displayed) -> None:
    """A secret in a source that cannot be read: errors have places and no content."""
    exercise(displayed, MALFORMED[name](tmp_path / "file"), loads=False)


def test_environment(tmp_path: Path, displayed: Displayed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret in variables, in files that variables name, and in variables that contradict each other."""
    monkeypatch.setenv("FAKTS_DATABASE__PASSWORD", SECRET)
    monkeypatch.setenv("FAKTS_DATABASE__URL", FACTS["database"]["url"])
    exercise(displayed, EnvGrant(), loads=True)
    monkeypatch.delenv("FAKTS_DATABASE__PASSWORD")
    monkeypatch.setenv("FAKTS_DATABASE__PASSWORD_FILE", str(written(tmp_path / "a", SECRET)))
    exercise(displayed, EnvGrant(file_suffix="_FILE"), loads=True)
    written(tmp_path / "a", SECRET.encode() + b"\xff")
    exercise(displayed, EnvGrant(file_suffix="_FILE"), loads=False)
    monkeypatch.setenv("FAKTS_DATABASE", SECRET)
    exercise(displayed, EnvGrant(), loads=False)


def test_directory_of_secrets(tmp_path: Path, displayed: Displayed) -> None:
    """A secret in a directory is one whatever its name is."""
    written(tmp_path / "database__word", SECRET)
    exercise(displayed, SecretsDirGrant(tmp_path), loads=True)
    exercise(displayed, RenameGrant(SecretsDirGrant(tmp_path), {"database.word": "a"}), loads=True)
    exercise(displayed, CacheGrant(SecretsDirGrant(tmp_path), cache_file=tmp_path / ".cache"), loads=True)
    written(tmp_path / "database", SECRET)
    exercise(displayed, SecretsDirGrant(tmp_path), loads=False)


@pytest.mark.parametrize("content", [json.dumps({"password": SECRET}), f'"{SECRET}', f'{{"format": "{SECRET}"}}'])
def test_foreign_caches(content: str, tmp_path: Path, displayed: Displayed) -> None:
    """A secret in a file that is not a cache, nor a token."""
    path = written(tmp_path / "cache", content)
    displayed.attempt(Fakts(CacheGrant(HardGrant({"a": 1}), cache_file=path)).load)
    written(path, content)
    result = CliRunner().invoke(heksherlite, ["whoami", "--cache-file", str(path)])
    displayed.add(result.output)
    assert result.exit_code == 1


class OwnDemand:
    async def ademand(self, endpoint: Any, request: Any) -> str:  # noqa: ARG002 - always the same
        return SECRET


class BrokenStore:
    """A token store whose errors have the token in them."""

    def get(self, *_: str) -> Secret | None:
        return Secret(SECRET)

    def set(self, endpoint: str, identifier: str, token: Secret) -> None:
        raise OSError(f"cannot keep {token.reveal()} of {identifier} at {endpoint}")

    def delete(self, *_: str) -> None:
        raise OSError(f"cannot delete {SECRET}")


def remote_grants(endpoint: ScriptedEndpoint) -> list[Any]:
    def discover(endpoint: ScriptedEndpoint) -> WellKnownDiscovery:
        return WellKnownDiscovery(url=endpoint.url, timeout=1)

    asks = {"timeout": 0.2, "tell": lambda _: None}
    return [
        static(endpoint, SECRET),
        static(endpoint, SECRET, discover=discover),
        redeem(endpoint, SECRET, discover=discover),
        redeem(endpoint, SECRET, token_store=BrokenStore()),
        retrieve(endpoint, discover=discover),
        device_code(endpoint, discover=discover, **asks),
        RemoteGrant(identifier="a", discovery=discover(endpoint), demand=OwnDemand()),
    ]


def echo(http_status: int, **members: Any) -> Callable[[Received], Scripted]:
    return lambda request: Scripted({**members, "message": f"bad {request.body}", "error": SECRET}, http_status)


REDIRECT = Scripted({"status": "error"}, 307, {"location": f"https://jane:{SECRET}@elsewhere/?token={SECRET}"})
RESPONSES: dict[str, Any] = {
    "echo": echo(200, status="error"),
    "echo and 401": echo(401),
    "echo and 500": echo(500),
    "another status": echo(200, status=SECRET),
    "redirect": REDIRECT,
    "not JSON": Scripted(f"<html>{SECRET}".encode()),
    "no facts": Scripted({"status": "granted", "config": [SECRET], "token": SECRET, "code": "abc"}),
    "a list": Scripted([SECRET]),
}


@pytest.mark.parametrize("name", RESPONSES)
def test_endpoints_that_fail(name: str, endpoint: ScriptedEndpoint, displayed: Displayed) -> None:
    """Each response to each call that repeats the secret, with each remote grant."""
    for call in ("claim", "redeem", "retrieve", "start", "challenge"):
        endpoint.reset()
        for other in ("claim", "redeem", "retrieve", "challenge"):
            endpoint.script[f"/f/{other}/"] = Scripted({"status": "granted", "token": SECRET, "config": FACTS})
        endpoint.script[f"/f/{call}/"] = RESPONSES[name]
        for grant in remote_grants(endpoint):
            fakts = Fakts(grant)
            displayed.attempt(fakts.load)
            displayed.add(grant, fakts.status)
            displayed.attempt(fakts.explain)


def test_endpoints_that_work(endpoint: ScriptedEndpoint, displayed: Displayed) -> None:
    """Facts of an endpoint, current and kept ones, with credentials that end, and of one that is gone."""
    granted = {
        "status": "granted",
        "token": SECRET,
        "config": FACTS,
        "secrets": [["database", "port"]],
        "expires_at": 1,
    }
    for call in ("claim", "redeem", "retrieve", "challenge"):
        endpoint.script[f"/f/{call}/"] = Scripted(granted)
    grants = remote_grants(endpoint)
    for grant in grants:
        exercise(displayed, grant, loads=True)
    endpoint.script["/f/claim/"] = Scripted({"status": "error", "message": SECRET})
    for grant in grants:
        displayed.attempt(Fakts(grant).load)
    endpoint.script["/.well-known/fakts"] = Scripted({"name": SECRET}, 503)
    for grant in remote_grants(endpoint):
        displayed.attempt(Fakts(grant).load)


def test_addresses(endpoint: ScriptedEndpoint, displayed: Displayed) -> None:
    """Addresses with a password are refused or displayed without it, wherever they are given."""
    url = endpoint.url.replace("//", f"//jane:{SECRET}@")
    for make in (lambda: WellKnownDiscovery(url=url), lambda: StaticDiscovery(base_url=url)):
        with pytest.raises(ValueError, match="credentials") as caught:
            make()
        displayed.add(caught.value)  # its traceback has the arguments of the program
    endpoint.script["/.well-known/fakts"] = Scripted({"name": "a", "base_url": url})
    displayed.attempt(Fakts(StaticGrant(token=SECRET, discovery=WellKnownDiscovery(url=endpoint.url))).load)


def test_a_malformed_address_of_a_service(displayed: Displayed) -> None:
    """The error has the place of the address and not its password."""
    fakts = Fakts(HardGrant({"heksher": {"service_url": f"http://jane:{SECRET}@\n", "context_features": []}}))
    with pytest.raises((HeksherError, ValueError)) as caught:
        ThreadHeksherClient.from_fakts(fakts)
    displayed.add(caught.value)


def test_clients(endpoint: ScriptedEndpoint, displayed: Displayed) -> None:
    """Clients that are configured by facts with a secret, and cannot use them."""
    endpoint.script["/o/token"] = lambda request: Scripted(
        {"error": "invalid_client", "error_description": f"{request.form} {SECRET}"}, 401
    )
    for facts in (
        {"heksher": {"service_url": endpoint.url, "token": SECRET, "context_features": 5}},
        {"heksher": {"service_url": endpoint.url, "headers": {"authorization": f"{SECRET}\n"}, "context_features": []}},
        {"oauth2": {"token_url": f"{endpoint.url}/o/token", "client_id": "a", "client_secret": SECRET}},
        {"oauth2": {"token_url": 5, "client_id": [5], "client_secret": [SECRET], "grant_type": [5]}},
        {"graphql": {"endpoint_url": f"ftp://jane:{SECRET}@host", "ws_endpoint_url": f"http://jane:{SECRET}@host"}},
    ):
        fakts = Fakts(HardGrant(facts))
        displayed.attempt(ThreadHeksherClient.from_fakts, fakts)
        displayed.attempt(graphql_client, fakts)
        displayed.attempt(lambda fakts=fakts: OAuth2Auth.from_fakts(fakts).get_token())


@pytest.mark.parametrize("arguments", [["show"], ["show", "database"], ["check"], ["check", "--group", "missing"]])
@pytest.mark.parametrize("content", [YAML, f"database: [{SECRET}\n"])
def test_commands(
    arguments: list[str], content: str, tmp_path: Path, displayed: Displayed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``facts show`` and ``facts check``, with a file that can be read and one that cannot."""
    monkeypatch.setenv("FAKTS_DATABASE__TOKEN", SECRET)
    path = written(tmp_path / "config.yaml", content)
    result = CliRunner().invoke(heksherlite, ["facts", *arguments, "--file", str(path)])
    displayed.add(result.output, result.stderr, str(result.exception))
    if content == YAML and arguments == ["show"]:
        assert re.search(r"database\.password\n +-> \*{8} ", result.output)
