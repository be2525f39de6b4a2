"""The client's side of the v1 HTTP API: the requests, and how responses are read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeVar
from urllib.parse import quote

import orjson

from heksherlite.engine.messages import Request, Response
from heksherlite.engine.queries import Query
from heksherlite.engine.web_pages import describe_web_page
from heksherlite.errors import ServiceResponseError

T = TypeVar("T")

JSON: Final = "application/json"
LINES: Final = "application/x-ndjson"
DELTA: Final = "heksherlite"
DELTA_STATUS: Final = 226
"""Requested in addition to v1 responses: a media type and deltas, see ``docs/reference/partial-responses.md``."""

NOT_MODIFIED: Final = 304

HEALTH = Request("GET", "/api/health")
CONTEXT_FEATURES = Request("GET", "/api/v1/context_features")
ALL_SETTINGS = Request("GET", "/api/v1/settings", params=(("include_additional_data", "true"),))


@dataclass(frozen=True, slots=True)
class SettingData:
    """A setting as the service knows it.

    Attributes:
        name: Its canonical name.
        configurable_features: The context features its rules may have conditions on, in the service's order.
        type: Its wire type, such as ``Sequence<int>``.
        default_value: Its default value, as JSON.
        metadata: Its metadata.
        aliases: Its other names.
        version: The version of its last declaration.
        schema: The JSON Schema that its values satisfy in addition to the type, if one was declared.
    """

    name: str
    configurable_features: Sequence[str]
    type: str
    default_value: Any
    metadata: Mapping[str, Any]
    aliases: Sequence[str]
    version: str
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class DeclarationResponse:
    """The response to a declaration.

    Attributes:
        outcome: ``created``, ``uptodate``, ``upgraded``, ``outdated``, ``mismatch``, ``rejected``, or ``conflict`` for
            a conflict without outcome.
        latest_version: The service's version, if the declaration was outdated.
        differences: The differences that the service lists.
        detail: The whole response, for the log.
        missing_right: Which right the program needs to upgrade the setting, if the service says so.
    """

    outcome: str
    latest_version: str | None
    differences: Sequence[Mapping[str, Any]]
    detail: Any
    missing_right: str | None = None

    def latest_value(self, attribute: str, otherwise: T) -> Any | T:
        """Return the service's value for an attribute that differs."""
        for difference in self.differences:
            if difference.get("attribute") == attribute and "latest_value" in difference:
                return difference["latest_value"]
        return otherwise


def declare(body: Mapping[str, Any]) -> Request:
    """Declare a setting. Status 409 is no error."""
    return Request("POST", "/api/v1/settings/declare", json=body, accept=frozenset({200, 409}))


def look_up(name: str) -> Request:
    """Look up the setting with a name or an alias. Status 404 is no error."""
    return Request("GET", f"/api/v1/settings/{quote(name, safe='')}", accept=frozenset({200, 404}))


def query(query: Query, etag: str | None, event_id: str | None = None, *, partial: bool = True) -> Request:
    """Request the rules of settings, unless they are the ones that ``etag`` stands for.

    Without a tag, a partial response is an error: nobody knows what it omits.

    Args:
        query: The settings and which of their rules.
        etag: The tag of the earlier response to the same query, if there is one.
        event_id: The id of the last event of the stream of changes. The response must not be older than this event.
        partial: Whether a response may consist of the changes since ``etag``.
    """
    accept = {200, 404} | ({NOT_MODIFIED} if etag else set()) | ({DELTA_STATUS} if etag and partial else set())
    params = (("settings", query.names), ("context_filters", query.context_filter.text))
    return _query(params, etag, event_id, frozenset(accept))


def query_all(context_filters: str, etag: str | None, event_id: str | None, *, partial: bool = True) -> Request:
    """Request the rules of all settings, unless they are the ones that ``etag`` stands for.

    Args:
        context_filters: Which rules.
        etag: As for :func:`query`.
        event_id: Likewise.
        partial: Likewise.
    """
    accept = {200} | ({NOT_MODIFIED} if etag else set()) | ({DELTA_STATUS} if etag and partial else set())
    return _query((("context_filters", context_filters),), etag, event_id, frozenset(accept))


def _query(
    params: tuple[tuple[str, str], ...], etag: str | None, event_id: str | None, accept: frozenset[int]
) -> Request:
    heard = {"Last-Event-ID": event_id} if event_id else {}
    tagged = {"If-None-Match": etag} if etag else {}
    delta = {"A-IM": DELTA} if DELTA_STATUS in accept else {}
    return Request(
        "GET",
        "/api/v1/query",
        params=(*params, ("include_metadata", "false")),
        headers={"Accept": f"{LINES}, {JSON};q=0.9", **tagged, **delta, **heard},
        accept=accept,
    )


def stream(names: str | None, context_filters: str | None) -> Request:
    """Request the stream of changes, see ``docs/reference/stream.md``.

    Args:
        names: The names of settings as in a :class:`Query`, or ``None`` for all settings.
        context_filters: Which of their rules, or ``None`` for all rules.
    """
    params = (("settings", names), ("context_filters", context_filters))
    return Request("GET", "/api/v1/stream", params=tuple((name, value) for name, value in params if value is not None))


def read_context_features(response: Response) -> tuple[str, ...]:
    """Return the context features in the service's order."""
    reader = ResponseReader(response)
    names = reader.member(reader.json(), "context_features", list, "")
    return tuple(reader.items(names, str, "context_features"))


def read_declaration(response: Response) -> DeclarationResponse:
    """Return the response to a declaration."""
    reader = ResponseReader(response)
    body = reader.json()
    if response.status == 409 and not (isinstance(body, dict) and "outcome" in body):
        return DeclarationResponse("conflict", None, (), body)
    outcome = reader.member(body, "outcome", str, "")
    latest_version = body.get("latest_version")
    differences = reader.item(body.get("differences", []), list, "differences")
    for index, difference in enumerate(differences):
        reader.item(difference, dict, f"differences[{index}]")
    return DeclarationResponse(
        outcome,
        None if latest_version is None else reader.item(latest_version, str, "latest_version"),
        differences,
        body,
        reader.item(body["missing_right"], str, "missing_right") if body.get("missing_right") is not None else None,
    )


def read_canonical_name(response: Response) -> str | None:
    """Return the name of the setting that was looked up, or ``None`` if there is none."""
    if response.status == 404:
        return None
    reader = ResponseReader(response)
    return reader.member(reader.json(), "name", str, "")


def read_settings(response: Response) -> dict[str, SettingData]:
    """Return all settings of the service by name."""
    reader = ResponseReader(response)
    settings = {}
    for index, data in enumerate(reader.member(reader.json(), "settings", list, "")):
        setting = _read_setting(reader, data, f"settings[{index}]")
        settings[setting.name] = setting
    return settings


def read_setting(response: Response) -> SettingData | None:
    """Return the setting that was looked up, or ``None`` if there is none."""
    if response.status == 404:
        return None
    reader = ResponseReader(response)
    return _read_setting(reader, reader.json(), "")


def _read_setting(reader: "ResponseReader", data: Any, where: str) -> SettingData:
    return SettingData(
        name=reader.member(data, "name", str, where),
        configurable_features=reader.member(data, "configurable_features", list, where),
        type=reader.member(data, "type", str, where),
        default_value=reader.member(data, "default_value", object, where),
        metadata=reader.member(data, "metadata", dict, where),
        aliases=reader.member(data, "aliases", list, where),
        version=reader.member(data, "version", str, where),
        schema=reader.member(data, "schema", dict, where) if "schema" in data else None,
    )


_IN_JSON: Final[Mapping[type[object], str]] = {
    list: "a list",
    dict: "an object",
    str: "a string",
    int: "an integer",
    bool: "a boolean",
}


class ResponseReader:
    """Reads the JSON of one response. Errors name the place in the response.

    Every method raises :class:`ServiceResponseError` if the response does not follow the protocol.
    """

    def __init__(self, response: Response) -> None:
        self.response = response

    def json(self, part: bytes | memoryview | None = None) -> Any:
        """Return the decoded body, or a decoded part of it."""
        try:
            return orjson.loads(self.response.content if part is None else part)
        except orjson.JSONDecodeError as error:
            page = describe_web_page(self.response.media_type, self.response.content)
            raise ServiceResponseError(str(self.response.request), f"not JSON: {page or error}") from None

    def member(self, data: Any, name: str, kind: type[T], where: str) -> T:
        """Return a member of an object. It must be of a type."""
        if isinstance(data, dict) and isinstance(value := data.get(name), kind) and (value is not None or name in data):
            return value
        if not isinstance(data, dict):
            self.refuse(where, "an object")
        place = f"{where}.{name}" if where else name
        if name not in data:
            self.refuse(place, "a value")
        return self.item(data[name], kind, place)

    def item(self, value: Any, kind: type[T], where: str) -> T:
        """Return a value. It must be of a type."""
        if not isinstance(value, kind):
            self.refuse(where, _IN_JSON[kind])
        return value

    def items(self, values: Any, kind: type[T], where: str) -> list[T]:
        """Return a list. All its items must be of a type, and not of a subtype."""
        if not isinstance(values, list) or not {kind}.issuperset(map(type, values)):
            self.refuse(where, f"a list of {_IN_JSON[kind]} each")
        return values

    def refuse(self, where: str, expected: str) -> NoReturn:
        """Raise the error."""
        raise ServiceResponseError(str(self.response.request), f"expected {expected} at {where or 'the top'}")
