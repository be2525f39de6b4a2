"""Reads v1 responses to queries, which are one JSON object each, piece by piece.

To parse 100,000 rules at once would stop the program for a while, and most of that time would go to the garbage
collector, which looks through all that was made so far again and again. So the text is cut at places that look like
the end of a rule, and a cut is right if what is before it can be parsed: a quote or bracket that is still open makes
it invalid. Text that cannot be cut, because it is not as compact as services write it, is parsed as a whole.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from operator import itemgetter
from typing import Any, Final, NoReturn, TypeAlias

import orjson

from heksherlite.engine.messages import Response
from heksherlite.engine.protocol import ResponseReader
from heksherlite.engine.query_events import Event, SettingBegins, SettingDefault, checked_batch
from heksherlite.rules import RuleBatch

_BATCH: Final = 1000
"""The maximum number of rules in a batch."""

_PIECE: Final = 1 << 14
"""The number of bytes after which rules are cut. What is made of them fits into the caches of a processor."""

_MISTAKES: Final = 20
"""The number of wrong cuts after which the rest is parsed as a whole."""

_Group: TypeAlias = tuple[list[Any], list[list[Any]], list[Any], list[Any]]
"""The names of context features, and in columns what rules want them to be, the ids of the rules, and their values."""

_CONTEXT_FEATURES: Final = itemgetter("context_features")
_RULE_ID: Final = itemgetter("rule_id")
_VALUE: Final = itemgetter("value")
_RULES: Final = b'"rules":['
_BETWEEN: Final = b"},{"
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
        self._has_many = False  # rules of the setting that come next: their end need not be looked for first

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
        if self._has_many and (rules := self._rules_up_to(self._content.find(_BETWEEN, self._position + _PIECE) + 1)):
            return rules
        self._has_many = False
        cut = self._position
        while self._mistakes < _MISTAKES and not self._content.startswith(b"]", cut):
            cut = self._next_cut(cut)
            if cut == -1:
                return None
            rules = self._rules_up_to(cut)
            if rules is not None:
                self._has_many = not self._content.startswith(b"]", cut)
                return rules
            self._mistakes += 1
        return None

    def rest(self) -> bytes:
        """Return the remaining text as JSON."""
        return self._opening + self._content[self._position :]

    def _rules_up_to(self, cut: int) -> list[Any] | None:
        """Take and parse the rules before a cut, or return None if it is no cut between rules or after the last."""
        parsed = _parsed(b"[" + self._content[self._position : cut] + b"]") if cut else None
        if not isinstance(parsed, list):
            return None
        self._position = cut + self._content.startswith(b",", cut)
        return parsed

    def _next_cut(self, start: int) -> int:
        middle = self._content.find(_BETWEEN, start + _PIECE)
        end = self._content.find(b"}]", start, middle if middle != -1 else len(self._content))
        cut = middle if end == -1 else end
        return cut + 1 if cut != -1 else -1


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
        first, self._rules = self._rules, self._rules + len(rules)
        try:
            pairs = list(map(_CONTEXT_FEATURES, rules))
            columns = [list(map(_RULE_ID, rules)), list(map(_VALUE, rules))]
            _require_lists(pairs)
            lengths = list(map(len, pairs))
            groups = [
                group
                for length in dict.fromkeys(lengths)
                for group in _groups(length, *_selected(lengths, length, [pairs, *columns]))
            ]
        except (KeyError, TypeError, ValueError):
            self._refuse(f"{where}[{first + _first_wrong(rules)}]")
        for names, wanted, rule_ids, values in groups:
            yield checked_batch(self._response, where, rule_ids, names, wanted, values)

    def _refuse(self, where: str) -> NoReturn:
        self._response.refuse(where, 'an object with "rule_id", "value", and "context_features" as pairs')


def _groups(length: int, pairs: list[Any], rule_ids: list[Any], values: list[Any]) -> Iterator[_Group]:
    """Yield rules with so many conditions in columns, by the names of the context features.

    Nothing here is done rule by rule in Python, unless the rules have conditions on different context features.

    Raises:
        TypeError: If conditions are not pairs in lists, or names cannot be names.
        ValueError: If conditions are not pairs, or two of a rule are on the same context feature.
    """
    names: list[tuple[Any, ...]] = []
    wanted: list[tuple[Any, ...]] = []
    for conditions in zip(*pairs, strict=True):
        _require_lists(conditions)
        of_condition, column = zip(*conditions, strict=True)
        names.append(of_condition)
        wanted.append(column)
    if all(len(set(of_condition)) == 1 for of_condition in names):
        by_names = [(tuple([of_condition[0] for of_condition in names]), wanted, rule_ids, values)]
    else:
        keys = list(zip(*names, strict=True))
        by_names = []
        for key in dict.fromkeys(keys):
            *some_wanted, some_ids, some_values = _selected(keys, key, [*wanted, rule_ids, values])
            by_names.append((key, some_wanted, some_ids, some_values))
    for key, some_wanted, some_ids, some_values in by_names:
        if len(set(key)) != length:
            raise ValueError
        yield list(key), [list(column) for column in some_wanted], some_ids, some_values


def _require_lists(items: Iterable[Any]) -> None:
    if not _LIST.issuperset(map(type, items)):
        raise TypeError("pairs are lists")


def _selected(keys: Sequence[Any], key: Any, columns: Sequence[Sequence[Any]]) -> list[Any]:
    """Return the parts of columns where the column of keys has a key."""
    if keys.count(key) == len(keys):
        return list(columns)
    selectors = [each == key for each in keys]
    return [list(compress(column, selectors)) for column in columns]


def _first_wrong(rules: list[Any]) -> int:
    """Return the index of the first rule that is not as it must be, for the message."""
    for index, rule in enumerate(rules):
        try:
            pairs = rule["context_features"]
            is_right = type(pairs) is list and _LIST.issuperset(map(type, pairs)) and len(dict(pairs)) == len(pairs)
            if not is_right or not {"rule_id", "value"} <= rule.keys():
                return index
        except (KeyError, TypeError, ValueError):
            return index
    return 0
