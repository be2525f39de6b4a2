"""Copy a service with the v1 API into an export."""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, BinaryIO, Final

import anyio
import click

from heksherlite.admin import AdminClient
from heksherlite.cli.progress import progress
from heksherlite.cli.source import ask
from heksherlite.engine import protocol
from heksherlite.engine.messages import Request, Response
from heksherlite.engine.protocol import NOT_MODIFIED, ResponseReader, SettingData
from heksherlite.engine.queries import divide_names
from heksherlite.errors import RequestRefusedError
from heksherlite.http.transport import Transport
from heksherlite.service.transfer.lines import end_line, header_line, line

_NO_SUCH_ROUTE: Final = frozenset({404, 405})

_ATTEMPTS: Final = 3
_SETTINGS_AT_ONCE: Final = 20
"""The number of settings in one query, whose response has to fit into memory."""


def copy_service(admin: AdminClient, transport: Transport, file: BinaryIO) -> None:
    """Write an export of a service into an empty file.

    This package's service exports itself, as of one revision. Any other service is read twice, to notice changes.

    Args:
        admin: A client of the service for operators.
        transport: A connection to the service, for the v1 API.
        file: The file.

    Raises:
        click.ClickException: There is no response, or the service changed during each of several attempts.
        AdminError: The service refused to export itself.
        ServiceResponseError: A response is malformed.
    """
    try:
        admin.download_export(file.write)
    except RequestRefusedError as error:
        if error.status not in _NO_SUCH_ROUTE:
            raise
        anyio.run(_copy_v1, transport, file)


async def _copy_v1(transport: Transport, file: BinaryIO) -> None:
    try:
        await _copy_unchanged(transport, file)
    finally:
        await transport.aclose()


async def _copy_unchanged(transport: Transport, file: BinaryIO) -> None:
    for _ in range(_ATTEMPTS):
        file.seek(0)
        file.truncate()
        if await _Copy(transport, file).make():
            return
    raise click.ClickException(
        f"{transport} changed during each of {_ATTEMPTS} attempts to copy it; try again while nobody changes it"
    )


class _Copy:
    def __init__(self, transport: Transport, file: BinaryIO) -> None:
        self._transport = transport
        self._file = file
        self._rules = 0
        self._last_rule_id = 0

    async def make(self) -> bool:
        """Copy the service, and return whether it stayed the same meanwhile."""
        listings = [protocol.CONTEXT_FEATURES, protocol.ALL_SETTINGS]
        order, listed = await ask(self._transport, listings)
        self._file.write(header_line(protocol.read_context_features(order)))
        settings = protocol.read_settings(listed)
        portions = _portions(list(settings))
        kept: list[tuple[str | None, bytes]] = []
        with progress("reading", 2 * len(portions)) as advance:
            for names in portions:
                (response,) = await ask(self._transport, [_query(names, None)])
                self._write(response, [settings[name] for name in names])
                kept.append((response.etag, _digest(response)))
                advance(1)
            self._file.write(end_line(len(settings), self._rules, self._last_rule_id))
            for names, (etag, digest) in zip(portions, kept, strict=True):
                (response,) = await ask(self._transport, [_query(names, etag)])
                if response.status != NOT_MODIFIED and _digest(response) != digest:
                    return False
                advance(1)
        second = await ask(self._transport, listings)
        return list(map(_digest, second)) == [_digest(order), _digest(listed)]

    def _write(self, response: Response, settings: Sequence[SettingData]) -> None:
        reader = ResponseReader(response)
        found = reader.member(reader.json(), "settings", dict, "")
        for setting in settings:
            self._file.write(_setting_line(setting))
            where = f"settings.{setting.name}"
            queried = reader.member(found, setting.name, dict, "settings")
            for index, rule in enumerate(reader.member(queried, "rules", list, where)):
                record = _rule(reader, rule, f"{where}.rules[{index}]")
                self._file.write(line({"rule": record}))
                self._rules += 1
                self._last_rule_id = max(self._last_rule_id, record["rule_id"])


def _portions(names: Sequence[str]) -> list[list[str]]:
    groups = [names[start : start + _SETTINGS_AT_ONCE] for start in range(0, len(names), _SETTINGS_AT_ONCE)]
    return [portion.split(",") for group in groups for portion in divide_names(group)]


def _query(names: Sequence[str], etag: str | None) -> Request:
    return Request(
        "GET",
        "/api/v1/query",
        params=(("settings", ",".join(names)), ("context_filters", "*"), ("include_metadata", "true")),
        headers={} if etag is None else {"If-None-Match": etag},
        accept=frozenset({200} if etag is None else {200, NOT_MODIFIED}),
    )


def _digest(response: Response) -> bytes:
    return sha256(response.content).digest()


def _setting_line(setting: SettingData) -> bytes:
    return line(
        {
            "setting": {
                "name": setting.name,
                "type": setting.type,
                "default_value": setting.default_value,
                "configurable_features": sorted(setting.configurable_features),
                "version": setting.version,
                "metadata": setting.metadata,
                "aliases": sorted(setting.aliases),
                **({} if setting.schema is None else {"schema": setting.schema}),
            }
        }
    )


def _rule(reader: ResponseReader, rule: Any, where: str) -> Mapping[str, Any]:
    conditions = _conditions(reader, reader.member(rule, "context_features", list, where), where)
    return {
        "rule_id": reader.member(rule, "rule_id", int, where),
        "feature_values": dict(sorted(conditions)),
        "value": reader.member(rule, "value", object, where),
        "metadata": reader.member(rule, "metadata", dict, where),
    }


def _conditions(reader: ResponseReader, conditions: Sequence[Any], where: str) -> Iterator[tuple[str, str]]:
    place = f"{where}.context_features"
    features = set()
    for condition in conditions:
        pair = reader.items(condition, str, place)
        if len(pair) != 2 or pair[0] in features:
            reader.refuse(place, "pairs of a context feature each and its value")
        features.add(pair[0])
        yield pair[0], pair[1]
