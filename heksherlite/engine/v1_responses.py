"""Reads v1 responses to queries, which are one JSON object each, piece by piece.

To parse 100,000 rules at once would stop the program for a while, and most of that time would go to the garbage
collector, which looks through all that was made so far again and again. So the text is cut at places that look like
the end of a rule, and a cut is right if what is before it can be parsed: a quote or bracket that is still open makes
it invalid. Text that cannot be cut, because it is not as compact as services write it, is parsed as a whole.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any, Final, NoReturn

import orjson

from heksherlite.engine.messages import Response
from heksherlite.engine.protocol import ResponseReader
from heksherlite.engine.query_events import Event, SettingBegins, SettingDefault, checked_batch
from heksherlite.rules import RuleBatch

_BATCH: Final = 1000
"""The maximum number of rules in a batch."""

_PIECE: Final = 1 << 16
"""The number of bytes after which rules are cut."""

_MISTAKES: Final = 20
"""The number of wrong cuts after which the rest is parsed as a whole."""

_RULES: Final = b'"rules":['
_LIST: Final = frozenset({list})
_IN_RULES: Final = b'{"settings":{"":{"rules":['
"""The JSON that leads to the rules of a setting."""


def read_v1(response: Response) -> Iterator[Event]:
    """Yield the events of a response.

    Raises:
        ServiceResponseError: If the response does not follow the protocol.
    """
    response_reader = ResponseReader(response)
    reader = _V1Reader(response_reader)
    text = _Text(response.content)
    while (outside := text.up_to_rules()) is not None:
        yield from reader.read(outside, continues=True)
        while (rules := text.some_rules()) is not None:
            yield from reader.rules(rules)
    yield from reader.read(response_reader.json(text.rest()), continues=False)


class _Text:
    """The text of a response, which is consumed from its beginning.

    Args:
        content: The text.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 0
        self._opening = b""
        self._mistakes = 0

    def up_to_rules(self) -> Any:
        """Take and parse what comes before the next rules, as if there were none, or return None."""
        found = self._position
        while self._mistakes < _MISTAKES and (found := self._content.find(_RULES, found)) != -1:
            found += len(_RULES)
            parsed = _parsed(self._opening + self._content[self._position : found] + b"]}}}")
            if _ends_in_rules(parsed):
                self._position, self._opening = found, _IN_RULES
                return parsed
            self._mistakes += 1
        return None

    def some_rules(self) -> list[Any] | None:
        """Take and parse some of the rules that come next, or return None if there are no more."""
        cut = self._position
        while self._mistakes < _MISTAKES and not self._content.startswith(b"]", cut):
            cut = self._next_cut(cut)
            if cut == -1:
                return None
            parsed = _parsed(b"[" + self._content[self._position : cut] + b"]")
            if isinstance(parsed, list):
                self._position = cut + self._content.startswith(b",", cut)
                return parsed
            self._mistakes += 1
        return None

    def rest(self) -> bytes:
        """Return the remaining text as JSON."""
        return self._opening + self._content[self._position :]

    def _next_cut(self, start: int) -> int:
        end = self._content.find(b"}]", start, start + 2 * _PIECE)
        if end == -1:
            end = self._content.find(b"},{", start + _PIECE)
        return end + 1 if end != -1 else -1


def _parsed(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _ends_in_rules(parsed: Any) -> bool:
    path = []
    while isinstance(parsed, dict) and parsed:
        name, parsed = list(parsed.items())[-1]
        path.append(name)
    return len(path) == 3 and path[0] == "settings" and path[2] == "rules" and parsed == []


class _V1Reader:
    """Converts the parts of a response into events, one after the other.

    Args:
        response: Reads the response's JSON.
    """

    def __init__(self, response: ResponseReader) -> None:
        self._response = response
        self._setting = ""
        self._rules = 0
        self._default_is_missing = False

    def read(self, data: Any, *, continues: bool) -> Iterator[Event]:
        """Yield the events of settings.

        Args:
            data: A response. The rules of a setting whose name is empty belong to the one that was read last.
            continues: Whether the last setting continues in the next part.
        """
        for name, setting in self._response.member(data, "settings", dict, "").items():
            if name:
                self._end()
                self._setting, self._rules, self._default_is_missing = name, 0, True
                yield SettingBegins(name)
            rules = self._response.member(setting, "rules", list, f"settings.{self._setting}")
            if "default_value" in setting:
                self._default_is_missing = False
                yield SettingDefault(setting["default_value"])
            yield from self.rules(rules)
        if not continues:
            self._end()

    def rules(self, rules: list[Any]) -> Iterator[Event]:
        """Yield rules of the setting that was read last."""
        for start in range(0, len(rules), _BATCH):
            yield from self._in_columns(rules[start : start + _BATCH])

    def _end(self) -> None:
        if self._default_is_missing:
            self._response.refuse(f"settings.{self._setting}.default_value", "a value")

    def _in_columns(self, rules: list[Any]) -> Iterator[RuleBatch[Any]]:
        where = f"settings.{self._setting}.rules"
        groups: dict[tuple[str, ...], _Group] = defaultdict(_Group)
        for index, rule in enumerate(rules, self._rules):
            try:
                pairs = rule["context_features"]
                conditions = dict(pairs)
                are_pairs = isinstance(pairs, list) and _LIST.issuperset(map(type, pairs))
                if not are_pairs or len(conditions) != len(pairs):
                    self._refuse(f"{where}[{index}]")
                group = groups[tuple(conditions)]
                group.rule_ids.append(rule["rule_id"])
                group.wanted.append(conditions.values())
                group.values.append(rule["value"])
            except (KeyError, TypeError, ValueError):
                self._refuse(f"{where}[{index}]")
        self._rules += len(rules)
        for names, group in groups.items():
            columns = [list(column) for column in zip(*group.wanted, strict=True)]
            yield checked_batch(self._response, where, group.rule_ids, list(names), columns, group.values)

    def _refuse(self, where: str) -> NoReturn:
        self._response.refuse(where, 'an object with "rule_id", "value", and "context_features" as pairs')


class _Group:
    """Rules whose conditions are on the same context features, in the same order."""

    __slots__ = ("rule_ids", "values", "wanted")

    def __init__(self) -> None:
        self.rule_ids: list[Any] = []
        self.wanted: list[Collection[Any]] = []
        self.values: list[Any] = []
