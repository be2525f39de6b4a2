"""The client's side of the v1 HTTP API: what is asked, and what the answers must look like."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeVar
from urllib.parse import quote

import orjson

from heksherlite.engine.messages import Answer, Request
from heksherlite.errors import ServiceAnswerError
from heksherlite.rules import QueriedRule

T = TypeVar("T")

HEALTH = Request("GET", "/api/health")
CONTEXT_FEATURES = Request("GET", "/api/v1/context_features")
ALL_SETTINGS = Request("GET", "/api/v1/settings", params=[("include_additional_data", "true")])


@dataclass(frozen=True, slots=True)
class SettingData:
    """A setting as the service knows it.

    Attributes:
        name: Its canonical name.
        configurable_features: The context features its rules may have conditions on, in the service's order.
        type: Its wire type, such as ``Sequence<int>``.
        default_value: Its default value, as JSON.
        metadata: What was stored with it.
        aliases: Its other names.
        version: The version of its last declaration.
    """

    name: str
    configurable_features: Sequence[str]
    type: str
    default_value: Any
    metadata: Mapping[str, Any]
    aliases: Sequence[str]
    version: str


@dataclass(frozen=True, slots=True)
class DeclarationAnswer:
    """What the service said to a declaration.

    Attributes:
        outcome: ``created``, ``uptodate``, ``upgraded``, ``outdated``, ``mismatch``, ``rejected``, or ``conflict`` for
            a conflict without outcome.
        latest_version: The service's version, if the declaration was outdated.
        differences: What differs, as the service lists it.
        detail: The whole answer, for the log.
    """

    outcome: str
    latest_version: str | None
    differences: Sequence[Mapping[str, Any]]
    detail: Any

    def latest_value(self, attribute: str, otherwise: T) -> Any | T:
        """Return the service's value for an attribute that differs."""
        for difference in self.differences:
            if difference.get("attribute") == attribute and "latest_value" in difference:
                return difference["latest_value"]
        return otherwise


def declare(body: Mapping[str, Any]) -> Request:
    """Ask to declare a setting; 409 is an answer."""
    return Request("POST", "/api/v1/settings/declare", json=body, accept=frozenset({200, 409}))


def look_up(name: str) -> Request:
    """Ask for the setting that a name or an alias belongs to; 404 is an answer."""
    return Request("GET", f"/api/v1/settings/{quote(name, safe='')}", accept=frozenset({200, 404}))


def query(names: Sequence[str], context_filters: str, etag: str | None) -> Request:
    """Ask for the rules of settings, unless they are those that ``etag`` stands for."""
    return Request(
        "GET",
        "/api/v1/query",
        params=[
            ("settings", ",".join(sorted(names))),
            ("context_filters", context_filters),
            ("include_metadata", "false"),
        ],
        headers={"If-None-Match": etag} if etag else {},
        accept=frozenset({200, 304, 404}),
    )


def read_context_features(answer: Answer) -> tuple[str, ...]:
    """Return the context features in the service's order."""
    reader = _Reader(answer)
    names = reader.member(reader.json(), "context_features", list, "")
    return tuple(reader.item(name, str, f"context_features[{i}]") for i, name in enumerate(names))


def read_declaration(answer: Answer) -> DeclarationAnswer:
    """Return what the service said to a declaration."""
    reader = _Reader(answer)
    body = reader.json()
    if answer.status == 409 and not (isinstance(body, dict) and "outcome" in body):
        return DeclarationAnswer("conflict", None, (), body)
    outcome = reader.member(body, "outcome", str, "")
    latest_version = body.get("latest_version")
    differences = reader.item(body.get("differences", []), list, "differences")
    for index, difference in enumerate(differences):
        reader.item(difference, dict, f"differences[{index}]")
    return DeclarationAnswer(
        outcome,
        None if latest_version is None else reader.item(latest_version, str, "latest_version"),
        differences,
        body,
    )


def read_canonical_name(answer: Answer) -> str | None:
    """Return the name of the setting that was looked up, or ``None`` if there is none."""
    if answer.status == 404:
        return None
    reader = _Reader(answer)
    return reader.member(reader.json(), "name", str, "")


def read_settings(answer: Answer) -> dict[str, SettingData]:
    """Return all settings of the service by name."""
    reader = _Reader(answer)
    settings = {}
    for index, data in enumerate(reader.member(reader.json(), "settings", list, "")):
        where = f"settings[{index}]"
        name = reader.member(data, "name", str, where)
        settings[name] = SettingData(
            name=name,
            configurable_features=reader.member(data, "configurable_features", list, where),
            type=reader.member(data, "type", str, where),
            default_value=reader.member(data, "default_value", object, where),
            metadata=reader.member(data, "metadata", dict, where),
            aliases=reader.member(data, "aliases", list, where),
            version=reader.member(data, "version", str, where),
        )
    return settings


@dataclass(frozen=True, slots=True)
class QueriedSetting:
    """What a query answers about one setting; its rules are checked when they are read."""

    default_value: Any
    rules: Sequence[Any]
    where: str
    reader: "_Reader"

    def read_rules(self) -> Iterator[QueriedRule[Any]]:
        """Yield the rules, with values as JSON.

        Raises:
            ServiceAnswerError: At the first rule that is not one.
        """
        for index, rule in enumerate(self.rules):
            try:
                rule_id, value, conditions = rule["rule_id"], rule["value"], rule["context_features"]
                pairs = tuple([(feature, wanted) for feature, wanted in conditions])
            except (KeyError, TypeError, ValueError):
                self._refuse(index)
            if type(rule_id) is not int or not -(2**63) <= rule_id < 2**63:
                self._refuse(index)
            for feature, wanted in pairs:
                if type(feature) is not str or type(wanted) is not str:
                    self._refuse(index)
            if len(dict(pairs)) != len(pairs):
                self._refuse(index)
            yield QueriedRule(rule_id, pairs, value)

    def _refuse(self, index: int) -> NoReturn:
        self.reader.refuse(
            f"{self.where}.rules[{index}]",
            'an object with an integer "rule_id", a "value", and "context_features", distinct pairs of strings',
        )


def read_query(answer: Answer) -> dict[str, QueriedSetting]:
    """Return what the service said about each setting, by canonical name."""
    reader = _Reader(answer)
    settings = {}
    for name, data in reader.member(reader.json(), "settings", dict, "").items():
        where = f"settings.{name}"
        settings[name] = QueriedSetting(
            reader.member(data, "default_value", object, where),
            reader.member(data, "rules", list, where),
            where,
            reader,
        )
    return settings


_IN_JSON: Final[Mapping[type[object], str]] = {list: "a list", dict: "an object", str: "a string"}


class _Reader:
    """Reads the JSON of one answer; what is not as it should be is named with its place."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def json(self) -> Any:
        try:
            return orjson.loads(self.answer.content)
        except orjson.JSONDecodeError as error:
            raise ServiceAnswerError(str(self.answer.request), f"not JSON: {error}") from None

    def member(self, data: Any, name: str, kind: type[T], where: str) -> T:
        if not isinstance(data, dict):
            self.refuse(where, "an object")
        place = f"{where}.{name}" if where else name
        if name not in data:
            self.refuse(place, "a value")
        return self.item(data[name], kind, place)

    def item(self, value: Any, kind: type[T], where: str) -> T:
        if not isinstance(value, kind):
            self.refuse(where, _IN_JSON[kind])
        return value

    def refuse(self, where: str, expected: str) -> NoReturn:
        raise ServiceAnswerError(str(self.answer.request), f"expected {expected} at {where or 'the top'}")
