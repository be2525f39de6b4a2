"""A client's configuration in the facts of the application. No I/O."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final, TypeVar

from heksherlite.errors import FactsShapeError
from heksherlite.grants.facts import kind

T = TypeVar("T")

GROUP: Final = "heksher"
"""The group that has it, unless told otherwise."""

_UPDATE_INTERVAL: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFacts:
    """What a group says about a client.

    Attributes:
        service_url: Where the service is; None for a client that has a snapshot only.
        update_interval: Seconds between updates.
        context_features: The context features, the most general first.
        defaults: What stands in for context features that a caller leaves out.
        track: The values to ask rules for by context feature.
        headers: What is sent with each request.
        push: Whether to listen for changes; None if the group does not say so.
    """

    service_url: str | None
    update_interval: float
    context_features: tuple[str, ...]
    defaults: Mapping[str, str]
    track: Mapping[str, str | list[str]]
    headers: Mapping[str, str] = field(repr=False)
    push: bool | None

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return keyword arguments of the client: those that the program gives, with these where it gives no others."""
        push = {} if self.push is None else {"push": self.push}
        return {**push, **given, "http_client_args": self.http_client_args(given.get("http_client_args"))}

    def http_client_args(self, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return arguments for httpx: those that the program gives, with these headers where it gives no others."""
        args = dict(given or {})
        headers = args.get("headers") or {}
        theirs = list(headers.items() if isinstance(headers, Mapping) else headers)
        names = {name.lower() for name, _ in theirs}
        ours = [(name, value) for name, value in self.headers.items() if name.lower() not in names]
        return {**args, "headers": ours + theirs}


def read_client_facts(facts: object, group: str = GROUP) -> ClientFacts:
    """Return what a group says. Lists may be strings too, as the environment has them.

    ``context_features`` is separated by semicolons then, and values to track by commas; ``push`` is ``true`` or
    ``false``.

    Args:
        facts: The group.
        group: Its path, for the error.

    Raises:
        FactsShapeError: If something is missing or wrong; it lists every offending key, and no values.
    """
    if not isinstance(facts, Mapping):
        raise FactsShapeError(group, {group: f"a mapping was expected, not {kind(facts)}"})
    problems: dict[str, str] = {}

    def read(key: str, convert: Callable[[Any], T], default: T | None = None) -> T:
        try:
            if facts.get(key) is not None:
                return convert(facts[key])
            if default is not None:
                return default
            problems[key] = "it is missing"
        except ValueError as error:
            problems[key] = str(error)
        return default  # type: ignore[return-value]  # raised below

    headers: dict[str, str] = read("headers", _strings, {})
    if facts.get("token") is not None:
        if any(name.lower() == "authorization" for name in headers):
            problems["token"] = "the headers have an Authorization already"  # noqa: S105
        headers = {**headers, "Authorization": f"Bearer {read('token', _string)}"}
    # Null is said on purpose, unlike a key that is not there.
    without_service = "service_url" in facts and facts["service_url"] is None
    read_facts = ClientFacts(
        service_url=None if without_service else read("service_url", _string),
        update_interval=read("update_interval", _seconds, _UPDATE_INTERVAL),
        context_features=tuple(read("context_features", lambda value: _list(value, ";")) or ()),
        defaults=read("defaults", _strings, {}),
        track=read("track", _track, {}),
        headers=headers,
        push=read("push", _flag) if facts.get("push") is not None else None,
    )
    if problems:
        raise FactsShapeError(group, problems)
    return read_facts


def _string(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"a string was expected, not {kind(value)}")
    return value


def _seconds(value: object) -> float:
    try:
        seconds = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else -1
    except ValueError:
        seconds = -1
    if not (isfinite(seconds) and seconds > 0):
        raise ValueError(f"a number of seconds above 0 was expected, and this {kind(value)} is none")
    return seconds


def _flag(value: object) -> bool:
    flags = {"true": True, "false": False}
    flag = flags.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(flag, bool):
        raise ValueError(f"true or false was expected, and this {kind(value)} is neither")  # noqa: TRY004 - read() collects
    return flag


def _list(value: object, separator: str) -> list[str]:
    if isinstance(value, str):
        value = [item.strip() for item in value.split(separator) if item.strip()]
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ValueError(f"several strings were expected, not {kind(value)}")
    return value


def _strings(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(item, str) for item in value.values()):
        raise ValueError("strings by name were expected")
    return dict(value)


def _track(value: object) -> dict[str, str | list[str]]:
    if not isinstance(value, Mapping):
        raise ValueError(f"values by context feature were expected, not {kind(value)}")  # noqa: TRY004 - read() collects
    return {feature: "*" if tracked == "*" else _list(tracked, ",") for feature, tracked in value.items()}
