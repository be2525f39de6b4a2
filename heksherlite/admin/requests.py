"""A request to the service with the function that reads its response, and how requests are made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Generic, TypeAlias, TypeVar
from urllib.parse import quote

from heksherlite.admin import reading
from heksherlite.admin.downloads import ExportDownload
from heksherlite.engine.messages import Request, Response
from heksherlite.errors import RequestRefusedError
from heksherlite.http.json_bodies import is_unicode
from heksherlite.http.transfers import ReadableFile
from heksherlite.names import SETTING_NAME

T = TypeVar("T")

Moment: TypeAlias = int | str | datetime
"""A revision, the name of a revision, or a time. A time without an offset is in UTC."""

_EVERY_STATUS: Final = frozenset(range(200, 600))


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request, and how its answer is read.

    Attributes:
        request: The request. Each status is a response.
        read: Returns the result, given a response with a status below 300.
        file: The body of the request, if it is sent piece by piece.
        download: What takes the body of the response piece by piece. None: the body is part of the response.
    """

    request: Request
    read: Callable[[Response], T]
    file: ReadableFile | None = None
    download: ExportDownload | None = None

    def result(self, response: Response) -> T:
        """Return the result.

        Raises:
            AdminError: The response has an error status.
            ServiceResponseError: The response is malformed.
        """
        if response.status >= 300:
            raise reading.error_of(response)
        return self.read(response)


def json_call(
    method: str,
    path: str,
    read: Callable[[Any], T],
    *,
    body: Mapping[str, Any] | None = None,
    changes_nothing: bool = False,
    **params: object,
) -> Call[T]:
    """Return a call whose response has a JSON body that a function reads."""
    repeatable = method == "GET" or changes_nothing
    return Call(request_to(method, path, body, params, repeatable=repeatable), partial(reading.read_json, read=read))


def nothing_call(method: str, path: str, body: Mapping[str, Any]) -> Call[None]:
    """Return a call that changes something, and whose response is empty."""
    return Call(request_to(method, path, body or None, {}, repeatable=False), _nothing)


def raw_call(path: str, **params: object) -> Call[bytes]:
    """Return a call whose result is the body of the response as it is."""
    return Call(request_to("GET", path, None, params, repeatable=True), _content)


def _nothing(response: Response) -> None:
    del response


def _content(response: Response) -> bytes:
    return response.content


def request_to(
    method: str, path: str, body: Mapping[str, Any] | None, params: Mapping[str, object], *, repeatable: bool
) -> Request:
    """Return a request, with the body as JSON."""
    pairs: list[tuple[str, str]] = []
    for name, value in params.items():
        values = value if isinstance(value, list | tuple) else [] if value is None else [value]
        pairs += [(name, _text(str(each), f"text as {name}")) for each in values]
    return Request(
        method,
        f"/api/v1/{path}",
        tuple(pairs),
        json=body,
        headers={"Accept": "application/json"},
        accept=_EVERY_STATUS,
        repeatable=repeatable,
    )


def without_none(**fields: Any) -> dict[str, Any]:
    """Return the fields that are given."""
    return {name: value for name, value in fields.items() if value is not None}


def flag_text(value: bool) -> str | None:
    """Return a flag as the service reads it. One that is not set is left out."""
    return "true" if value else None


def moment_text(moment: Moment | None) -> str | None:
    """Return a moment as the service reads it."""
    if not isinstance(moment, datetime):
        return None if moment is None else str(moment)
    time = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return time.isoformat().replace("+00:00", "Z")


def epoch_seconds(time: datetime | None) -> int | None:
    """Return a time in seconds since the epoch. A time without an offset is in UTC."""
    if time is None:
        return None
    return int((time.replace(tzinfo=UTC) if time.tzinfo is None else time).timestamp())


def quoted(name: str) -> str:
    """Return a name as one part of a path.

    Raises:
        TypeError: It is not text.
    """
    return quote(_text(name, "a name"), safe="")


def setting_path(name: str) -> str:
    """Return the path of a setting.

    Raises:
        TypeError: The name is not text.
        RequestRefusedError: No setting can have this name, and the service has no path for it.
    """
    if SETTING_NAME.fullmatch(_text(name, "the name of a setting")) is None:
        raise RequestRefusedError(f"/api/v1/settings/{quoted(name)}", f"setting {name!r} does not exist", 404)
    return f"settings/{quoted(name)}"


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not is_unicode(value):
        raise TypeError(f"expected {what}, not {value!a}")
    return value
