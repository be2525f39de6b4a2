"""The picture of a value over time: a line with steps, as coordinates for an SVG image."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from heksherlite.service.console.showing import moment
from heksherlite.service.console.value_changes import ValueChange

WIDTH: Final = 800
_LEFT: Final = 150
_RIGHT: Final = 785
_TOP: Final = 20
_ROW: Final = 30
_MOST_ROWS: Final = 8
_HEIGHT_OF_NUMBERS: Final = 150
_LONGEST_LABEL: Final = 20


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line with a label."""

    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A change of the value."""

    x: float
    y: float
    title: str
    revision: int


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture, in the units of its view box.

    Attributes:
        height: The height. The width is `WIDTH`.
        path: The line, as the data of an SVG path.
        levels: The values of the vertical axis.
        marks: The changes.
        begins: The time at the left end.
        ends: The time at the right end.
        left: Where the line begins.
        right: Where it ends.
    """

    height: float
    path: str
    levels: Sequence[Level]
    marks: Sequence[Mark]
    begins: datetime
    ends: datetime
    left: int = _LEFT
    right: int = _RIGHT
    width: int = WIDTH


def chart_of(changes: Sequence[ValueChange], begins: datetime | None, ends: datetime) -> Chart | None:
    """Return the picture of a value.

    Args:
        changes: The changes of the value, the newest first.
        begins: The beginning of the period; None for shortly before the first change.
        ends: The end of the period.

    Returns:
        The picture, or None if the value did not exist in the period, or if it is not known.
    """
    in_order = [each for each in reversed(changes) if each.record.time <= ends]
    if not in_order:
        return None
    if begins is None:
        first = in_order[0].record.time
        begins = first - max((ends - first) / 20, timedelta(seconds=1))
    earlier = [each for each in in_order if each.record.time < begins]
    shown = in_order[len(earlier) :]
    start = (earlier[-1].exists, earlier[-1].after) if earlier else (in_order[0].existed, in_order[0].before)
    states = [start, *[(each.exists, each.after) for each in shown]]
    values = [value for exists, value in states if exists]
    if not values or ends <= begins:
        return None
    scale = _scale(values)
    period = (ends - begins).total_seconds()
    xs = [_LEFT + (_RIGHT - _LEFT) * (each.record.time - begins).total_seconds() / period for each in shown]
    path = ""
    for (exists, value), left, right in zip(states, [_LEFT, *xs], [*xs, _RIGHT], strict=True):
        if exists:
            y = scale.place(value)
            path += f"{'V' if path and path[-1] != ' ' else f'M{left:.1f} '}{y:.1f}H{right:.1f}"
        elif path:
            path += " "
    marks = [
        Mark(x, scale.place(each.after), f"{moment(each.record.time)}: {_label(each.after)}", each.record.revision)
        for each, x in zip(shown, xs, strict=True)
        if each.exists
    ]
    return Chart(scale.bottom + 40, path.strip(), scale.levels, marks, begins, ends)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where values are on the vertical axis."""

    levels: Sequence[Level]
    bottom: float
    numbers: tuple[float, float] | None
    rows: dict[bytes, float]

    def place(self, value: Any) -> float:
        if self.numbers is None:
            return self.rows.get(_key(value), self.bottom)
        lowest, highest = self.numbers
        height: float = self.bottom - (self.bottom - _TOP) * (value - lowest) / (highest - lowest)
        return height


def _scale(values: Sequence[Any]) -> _Scale:
    distinct = {_key(value): value for value in values}
    if len(distinct) > 1 and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        lowest, highest = min(values), max(values)
        bottom = float(_TOP + _HEIGHT_OF_NUMBERS)
        return _Scale([Level(_TOP, _label(highest)), Level(bottom, _label(lowest))], bottom, (lowest, highest), {})
    # The newest values have rows of their own; all others share the last row.
    kept = list({_key(value): value for value in reversed(values)}.items())
    has_others = len(kept) > _MOST_ROWS
    kept = kept[: _MOST_ROWS - 1] if has_others else kept
    rows = {key: float(_TOP + _ROW * place) for place, (key, _) in enumerate(kept)}
    levels = [Level(rows[key], _label(value)) for key, value in kept]
    bottom = float(_TOP + _ROW * (len(kept) - 1))
    if has_others:
        bottom += _ROW
        levels.append(Level(bottom, "other values"))
    return _Scale(levels, bottom, None, rows)


def _key(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _label(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 1]}…"
