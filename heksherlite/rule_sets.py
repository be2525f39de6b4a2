"""Rule sets: which rules of a setting match a context, and which one wins.

Everything here is arithmetic on values that are handed in. A *context* is a tuple with one value per context feature
of a setting, in the order in which the setting names them.

The winner is the matching rule with the largest sum of feature weights, where feature number ``i`` of the service's
global order weighs ``2**i``. All rules with conditions on the same features weigh the same, and no two of them can
match one context. So rules are grouped by the features they look at, into :class:`~heksherlite.rules.RuleShape`, and
finding the winner takes one dictionary look-up per shape, heaviest shape first, however many rules there are.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heksherlite.rules import QueriedRule, RuleShape

T = TypeVar("T")

NO_VALUE: Final[Any] = type("NoValue", (), {"__slots__": (), "__repr__": lambda _: "NO_VALUE"})()
"""Stands where there is no value, since ``None`` and every falsy value are values."""

Context = Sequence[Any]


class RuleSet(Generic[T]):
    """All rules of one setting, ready to be asked which of them wins. Immutable once built.

    Attributes:
        features: The context features of the setting, in the order of the contexts that are asked about.
        shapes: The rules by the features they look at, heaviest first.
    """

    __slots__ = ("features", "shapes")

    def __init__(self, features: tuple[str, ...], shapes: "tuple[RuleShape[T], ...]" = ()) -> None:
        self.features = features
        self.shapes = shapes

    def __len__(self) -> int:
        return sum(len(shape.values) for shape in self.shapes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RuleSet):
            return NotImplemented
        return self.features == other.features and self.shapes == other.shapes

    __hash__ = object.__hash__

    def __iter__(self) -> "Iterator[QueriedRule[T]]":
        """Yield every rule, those that win over others first."""
        for shape in self.shapes:
            yield from shape

    def value(self, context: Context) -> T | Any:
        """Return the value of the winning rule, or :data:`NO_VALUE` if no rule matches."""
        for shape in self.shapes:
            value = shape.values.get(shape.select(context), NO_VALUE)
            if value is not NO_VALUE:
                return value
        return NO_VALUE

    def winner(self, context: Context) -> "QueriedRule[T] | None":
        """Return the winning rule, or ``None`` if no rule matches. Takes longer than :meth:`value`."""
        for shape in self.shapes:
            selected = shape.select(context)
            if selected in shape.values:
                return shape.rule(selected)
        return None
