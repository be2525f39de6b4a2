"""The configuration of a client in facts. No I/O."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final, TypeVar

from heksherlite.errors import FactsShapeError
from heksherlite.grants.facts import describe_type
from heksherlite.grants.values import LIST_NOTATION, as_list

T = TypeVar("T")

GROUP: Final = "heksher"
"""The default path of the group."""

_UPDATE_INTERVAL: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFacts:
    """The configuration of a client.

    Attributes:
        service_url: The URL of the service, or None for a client that has only a snapshot.
        update_interval: The time between updates in seconds.
        context_features: The context features, the most general first.
        defaults: The default values of context features.
        track: The tracked values by context feature.
        headers: The headers of each request.
        push: Whether to listen to the stream of changes, or None if the group does not say so.
    """

    service_url: str | None = field(repr=False)  # it may contain credentials
    update_interval: float
    context_features: tuple[str, ...]
    defaults: Mapping[str, str]
    track: Mapping[str, str | list[str]]
    headers: Mapping[str, str] = field(repr=False)
    push: bool | None

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the keyword arguments of the client. Those that the program passes override the facts."""
        push = {} if self.push is None else {"push": self.push}
        return {**push, **given, "http_client_args": self.http_client_args(given.get("http_client_args"))}

    def http_client_args(self, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the arguments for httpx. Headers that the program passes override those of the facts."""
        args = dict(given or {})
        headers = args.get("headers") or {}
        theirs = list(headers.items() if isinstance(headers, Mapping) else headers)
        names = {name.lower() for name, _ in theirs}
        ours = [(name, value) for name, value in self.headers.items() if name.lower() not in names]
        return {**args, "headers": ours + theirs}


def read_client_facts(facts: object, group: str = GROUP) -> ClientFacts:
    """Return the configuration in a group. Lists may be strings, because the environment has only strings.

    A string is a list as in a field of a class: ``a,b,c`` or JSON. ``push`` may be ``"true"`` or ``"false"``.

    Args:
        facts: The group.
        group: Its path, for the error.

    Raises:
        FactsShapeError: If a key is missing or malformed. The error lists every offending key, but no values.
    """
    if not isinstance(facts, Mapping):
        raise FactsShapeError(group, {group: f"expected a mapping, not {describe_type(facts)}"})
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
            problems["token"] = "the headers contain Authorization already"  # noqa: S105
        headers = {**headers, "Authorization": f"Bearer {read('token', _token)}"}
    # An explicit null is intentional, unlike a missing key.
    without_service = "service_url" in facts and facts["service_url"] is None
    read_facts = ClientFacts(
        service_url=None if without_service else read("service_url", _string),
        update_interval=read("update_interval", _seconds, _UPDATE_INTERVAL),
        context_features=tuple(read("context_features", _list) or ()),
        defaults=read("defaults", _strings, {}),
        track=read("track", _track, {}),
        headers=headers,
        push=read("push", _flag) if facts.get("push") is not None else None,
    )
    if problems:
        del headers  # error trackers record local variables
        raise FactsShapeError(group, problems)
    return read_facts


def _string(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"expected a string, not {describe_type(value)}")
    return value


def _token(value: object) -> str:
    token = _string(value).strip()  # a file with a token often ends with a newline
    if not token.isascii() or not token.isprintable() or not token:
        raise ValueError("it contains a line break or another character that cannot be sent")
    return token


def _seconds(value: object) -> float:
    try:
        seconds = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else -1
    except ValueError:
        seconds = -1
    if not (isfinite(seconds) and seconds > 0):
        raise ValueError(f"expected a number of seconds greater than 0, not {describe_type(value)}")
    return seconds


def _flag(value: object) -> bool:
    flags = {"true": True, "false": False}
    flag = flags.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(flag, bool):
        raise ValueError(f"expected true or false, not {describe_type(value)}")  # noqa: TRY004 - read() collects
    return flag


def _list(value: object) -> list[str]:
    items = as_list(value)
    if not all(isinstance(item, str) and item for item in items):
        raise ValueError("expected a list of strings that are not empty")
    if any(";" in item for item in items):
        raise ValueError(f"an item contains a semicolon; {LIST_NOTATION}")
    return items


def _strings(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(item, str) for item in value.values()):
        raise ValueError("expected a mapping of strings")
    return dict(value)


def _track(value: object) -> dict[str, str | list[str]]:
    if not isinstance(value, Mapping):
        raise ValueError(f"expected a mapping of context features to values, not {describe_type(value)}")  # noqa: TRY004 - read() collects
    return {feature: "*" if tracked == "*" else _list(tracked) for feature, tracked in value.items()}
