"""Reads answers to queries, in pieces: the v1 answer, and the lines of ``docs/partial-answers.md``.

Both come out as the same events: perhaps the order of the context features, then for each setting its beginning and
its rules in batches.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from heksherlite.engine.messages import Answer
from heksherlite.engine.protocol import DELTA_STATUS, LINES, AnswerReader
from heksherlite.rules import RuleBatch

_BATCH: Final = 1000
"""How many rules are in a batch at the most."""


class FeatureOrder(NamedTuple):
    """All context features in the service's order."""

    names: tuple[str, ...]


class SettingBegins(NamedTuple):
    """The batches that follow are of this setting.

    Attributes:
        name: Its canonical name.
        default_value: The service's default, as JSON.
        whole: Whether the batches have all rules, and not only those that changed.
        removed: If not, the ids of rules that are not there any more.
    """

    name: str
    default_value: Any
    whole: bool = True
    removed: Sequence[int] = ()


Event = FeatureOrder | SettingBegins | RuleBatch[Any]


def read_query(answer: Answer) -> Iterator[Event]:
    """Yield what a query answered, piece by piece.

    Raises:
        ServiceAnswerError: At the first thing that is not what it should be.
    """
    return _read_lines(answer) if answer.media_type == LINES or answer.status == DELTA_STATUS else _read_v1(answer)


def _read_v1(answer: Answer) -> Iterator[Event]:
    reader = AnswerReader(answer)
    for name, data in reader.member(reader.json(), "settings", dict, "").items():
        where = f"settings.{name}"
        yield SettingBegins(name, reader.member(data, "default_value", object, where))
        rules = reader.member(data, "rules", list, where)
        for start in range(0, len(rules), _BATCH):
            yield from _in_columns(reader, rules[start : start + _BATCH], f"{where}.rules", start)


def _in_columns(reader: AnswerReader, rules: list[Any], where: str, start: int) -> Iterator[RuleBatch[Any]]:
    groups: dict[tuple[str, ...], list[tuple[int, tuple[str, ...], Any]]] = defaultdict(list)
    for index, rule in enumerate(rules, start):
        try:
            pairs = reader.items(rule["context_features"], list, f"{where}[{index}].context_features")
            names = tuple([name for name, _ in pairs])
            wanted = tuple([value for _, value in pairs])
            groups[names].append((rule["rule_id"], wanted, rule["value"]))
        except (KeyError, TypeError, ValueError):
            expected = 'an object with "rule_id", "value", and "context_features" as pairs'
            reader.refuse(f"{where}[{index}]", expected)
    for names, group in groups.items():
        rule_ids, wanted_values, values = zip(*group, strict=True)
        columns = [list(column) for column in zip(*wanted_values, strict=True)]
        yield _batch(reader, where, list(rule_ids), list(names), columns, list(values))


def _read_lines(answer: Answer) -> Iterator[Event]:
    reader = AnswerReader(answer)
    lines = _lines(answer.content)
    settings = 0
    for number, line in enumerate(lines, 1):
        data = reader.json(line)
        where = f"line {number}"
        if not isinstance(data, dict):
            reader.refuse(where, "an object")
        if "rule_ids" in data and settings:
            columns = reader.items(reader.member(data, "context_values", list, where), list, where)
            features = reader.member(data, "context_features", list, where)
            yield _batch(reader, where, data["rule_ids"], features, columns, reader.member(data, "values", list, where))
        elif "setting" in data:
            settings += 1
            begins = SettingBegins(
                reader.member(data, "setting", str, where),
                reader.member(data, "default_value", object, where),
                reader.member(data, "whole", bool, where),
                reader.items(data.get("removed", []), int, f"{where}.removed"),
            )
            if not begins.whole and answer.status != DELTA_STATUS:
                reader.refuse(where, "a whole setting")
            yield begins
        elif "context_features" in data and number == 1:
            yield FeatureOrder(tuple(reader.items(data["context_features"], str, f"{where}.context_features")))
        elif "settings" in data:
            if data["settings"] != settings or next(lines, None) is not None:
                reader.refuse(where, f"the end of {data['settings']} settings, and not of {settings},")
            return
        else:
            reader.refuse(where, "context features, a setting, its rules, or the number of settings")
    reader.refuse("the end", "the number of settings: the body was cut off")


def _lines(content: bytes) -> Iterator[memoryview]:
    view = memoryview(content)
    start = 0
    while start < len(content):
        end = content.find(b"\n", start)
        end = len(content) if end == -1 else end
        yield view[start:end]
        start = end + 1


def _batch(
    reader: AnswerReader, where: str, rule_ids: Any, features: Any, columns: list[Any], values: list[Any]
) -> RuleBatch[Any]:
    reader.items(rule_ids, int, f"{where}: the rules' ids")
    reader.items(features, str, f"{where}: the context features")
    for column in columns:
        reader.items(column, str, f"{where}: the condition values")
    try:
        ids = array("q", rule_ids)
    except OverflowError:
        reader.refuse(where, "ids within 64 bits")
    if len(set(features)) != len(features) or len(columns) != len(features):
        reader.refuse(where, "distinct context features with a value each")
    if {len(rule_ids)} != {len(values), *map(len, columns), len(rule_ids)}:
        reader.refuse(where, "as many values as ids")
    return RuleBatch(ids, features, columns, values)
