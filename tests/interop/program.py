"""A program that uses settings. The same code runs with the original SDK and with ours, except for one import.

Usage: ``python program.py (heksher|heksherlite) (async|thread)``. It runs in either environment, so it needs nothing
but the standard library and the SDK. Each line of its input is a command, see ``Program``.
"""

import asyncio
import inspect
import json
import logging
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from enum import Enum, IntFlag
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs, urlsplit

sdk: Any = import_module(sys.argv[1])


class Color(Enum):
    RED = "red"
    GREEN = "green"
    NUMBER = 3


class Access(IntFlag):
    READ = 1
    WRITE = 2
    RUN = 4


class OldColor(Enum):
    RED = "red"


class OldAccess(IntFlag):
    READ = 1


TYPES: Mapping[str, Any] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "color": Color,
    "access": Access,
    "old color": OldColor,
    "old access": OldAccess,
    "ints": Sequence[int],
    "colors": Sequence[Color],
    "old colors": Sequence[OldColor],
    "limits": Mapping[str, float],
    "teams": Mapping[str, Sequence[str]],
    "grants": Mapping[str, Access],
    "table": Sequence[Mapping[str, int]],
}


def decode(kind: str, value: Any) -> Any:
    """Return the Python value of a default in JSON."""
    if kind in ("color", "old color"):
        return TYPES[kind](value)
    if kind in ("access", "old access"):
        return TYPES[kind](sum(TYPES[kind][name] for name in value))
    if kind in ("colors", "old colors"):
        return [decode(kind[:-1], item) for item in value]
    if kind == "grants":
        return {key: decode("access", item) for key, item in value.items()}
    return value


def encode(value: Any) -> Any:
    """Return a JSON value that is different for any two Python values that a program can distinguish."""
    if isinstance(value, IntFlag):
        return {"flags": int(value)}
    if isinstance(value, Enum):
        return {"member": value.name}
    if isinstance(value, Mapping):
        return {"mapping": {key: encode(item) for key, item in sorted(value.items())}}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return {"sequence": [encode(item) for item in value]}
    return value


class Program:
    """Executes commands by the methods of the same name."""

    def __init__(self, flavour: str) -> None:
        self.flavour = flavour
        self.client: Any = None
        self.settings: dict[str, Any] = {}
        self.variables: dict[str, ContextVar[str]] = {}
        self.requests: list[tuple[str, str, str, int]] = []
        self.log: list[tuple[str, str]] = []

    async def start(
        self,
        url: str,
        features: list[str],
        track: dict[str, Any],
        constants: dict[str, str],
        variables: list[str],
    ) -> None:
        """Create the client, and make it the main client."""
        kind = sdk.AsyncHeksherClient if self.flavour == "async" else sdk.ThreadHeksherClient
        hook = self._note_async if self.flavour == "async" else self._note
        arguments = {"event_hooks": {"response": [hook]}, "headers": {"api_token": "secret"}}
        # Ours would hear of changes by itself, and leave nothing to a reload.
        polling = {"push": False} if sdk.__name__ == "heksherlite" else {}
        self.client = kind(url, 300, features, http_client_args=arguments, **polling)
        self.client.track_contexts(**track)
        self.variables = {feature: ContextVar(feature) for feature in variables}
        self.client.set_defaults(**constants)
        self.client.set_defaults(**self.variables)
        await settle(self.client.set_as_main())

    async def declare(self, settings: list[dict[str, Any]]) -> list[Any]:
        """Create settings, wait until they are declared, and return their declarations."""
        before = self._declared
        bodies = []
        for setting in settings:
            kind = setting.pop("kind")
            default = decode(kind, setting.pop("default"))
            made = sdk.Setting(type=TYPES[kind], default_value=default, **setting)
            self.settings[made.name] = made
            bodies.append(made.to_v1_declaration_body())
        deadline = time.monotonic() + 10
        while self.client is not None and self._declared < before + len(settings):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not declared within 10 s: {[setting['name'] for setting in settings]}")
            await asyncio.sleep(0.01)
        return bodies

    async def reload(self) -> int:
        """Load the rules, and return the status of the response."""
        for _ in range(20):
            await settle(self.client.reload())
            _, _, query, status = [request for request in self.requests if request[1] == "/api/v1/query"][-1]
            asked = parse_qs(query).get("settings", [""])[0].split(",")
            if set(self.settings) <= set(asked):
                return status
            await asyncio.sleep(0.05)  # a setting can miss the first query after its declaration
        raise TimeoutError("settings that were declared do not get into the query")

    async def get(self, contexts: list[tuple[str, dict[str, str]]]) -> list[Any]:
        """Read settings."""
        values = []
        for name, context in contexts:
            try:
                values.append(encode(self.settings[name].get(**context)))
            except (ValueError, RuntimeError) as error:
                kind = ValueError if isinstance(error, ValueError) else RuntimeError
                values.append({"error": kind.__name__})
        return values

    async def assign(self, **variables: str) -> None:
        """Assign to context variables."""
        for feature, value in variables.items():
            self.variables[feature].set(value)

    async def all_settings(self) -> dict[str, Any]:
        """Request the settings of the service."""
        await settle(self.client.ping())
        return {
            name: [
                data.name,
                list(data.configurable_features),
                data.type,
                data.default_value,
                data.metadata,
                sorted(data.aliases),
                data.version,
            ]
            for name, data in (await settle(self.client.get_settings())).items()
        }

    async def notes(self) -> dict[str, Any]:
        """Return the requests and log records since the previous call."""
        notes = {"requests": self.requests, "log": self.log}
        self.requests, self.log = self.requests[-1:], []
        return notes

    async def close(self) -> None:
        """Close the client."""
        await settle(self.client.aclose() if self.flavour == "async" else self.client.close())

    @property
    def _declared(self) -> int:
        return sum(request[1].endswith("/declare") for request in self.requests)

    def _note(self, response: Any) -> None:
        url = urlsplit(str(response.request.url))
        self.requests.append((response.request.method, url.path, url.query, response.status_code))

    async def _note_async(self, response: Any) -> None:
        self._note(response)


async def settle(result: Any) -> Any:
    """Await the result of the asynchronous client; return that of the thread client unchanged."""
    return await result if inspect.isawaitable(result) else result


class Recorder(logging.Handler):
    """Records the messages of the SDK."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.program = program

    def emit(self, record: logging.LogRecord) -> None:
        self.program.log.append((record.levelname, record.getMessage()))


async def main() -> None:
    """Execute the commands on the standard input."""
    program = Program(sys.argv[2])
    logger = logging.getLogger(sys.argv[1])
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(Recorder(program))
    while line := await asyncio.to_thread(sys.stdin.readline):
        command = json.loads(line)
        try:
            outcome = {"response": await getattr(program, command.pop("do"))(**command)}
        except Exception as error:  # noqa: BLE001 - handed to the one who asked
            outcome = {"error": "".join(traceback.format_exception_only(error)) + json.dumps(program.requests[-3:])}
        print(json.dumps(outcome), flush=True)  # noqa: T201 - this is the exchange


if __name__ == "__main__":
    asyncio.run(main())
