"""Values of context features for a part of a program, such as the handling of one request."""

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Final

from heksherlite import main_client
from heksherlite.contexts import text_of

_lock: Final = threading.Lock()
_own: Final[dict[str, ContextVar[str]]] = {}


def own_variable(feature: str) -> ContextVar[str]:
    """Return the context variable that the package has for a context feature."""
    variable = _own.get(feature)
    if variable is None:
        variable = _own.setdefault(feature, ContextVar(f"heksherlite.{feature}"))
    return variable


def variable_of(feature: str) -> ContextVar[str]:
    """Return the context variable from which ``get`` takes a context feature.

    If the main client has no default for the feature, the variable of the package becomes the default.

    Raises:
        ValueError: If the default of the client is a constant, or the name looks like a misspelled context feature.
    """
    client = main_client.main()
    if client is None:
        return own_variable(feature)
    default = client._context_defaults.get(feature)  # noqa: SLF001
    if default is None:
        with _lock:
            if feature not in client._context_defaults:  # noqa: SLF001
                client.set_defaults(**{feature: own_variable(feature)})
        default = client._context_defaults[feature]  # noqa: SLF001
    if isinstance(default, str):
        raise ValueError(  # noqa: TRY004 - the type of the argument is right
            f"context feature {feature!r} cannot be set here: {client!r} has the constant default {default!r}; use "
            f"set_defaults({feature}=...) with a ContextVar, or without this feature"
        )
    return default


class ContextValues(AbstractContextManager[None]):
    """A block in which context features have these values for callers of ``get`` that omit them.

    Args:
        values: The values by context feature. A feature whose value is ``None`` is left as it is.

    Raises:
        TypeError: On entering, if ``values`` is no mapping, or a value has no obvious text.
        ValueError: On entering, if the main client has a constant as the default of a feature, or the name of a feature
            looks misspelled.
    """

    __slots__ = ("_tokens", "_values")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self._tokens: list[tuple[ContextVar[str], Token[str]]] = []

    def __enter__(self) -> None:
        """Set the values."""
        if not isinstance(self._values, Mapping):
            raise TypeError(f"context values must be a mapping from context features to values, not {self._values!r}")
        settable = [
            (variable_of(feature), _text(feature, value))
            for feature, value in self._values.items()
            if value is not None
        ]
        for variable, text in settable:
            self._tokens.append((variable, variable.set(text)))

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Restore the previous values."""
        while self._tokens:
            variable, token = self._tokens.pop()
            with suppress(ValueError):  # in another context, as when a generator is finalized, nothing is set
                variable.reset(token)


def _text(feature: str, value: object) -> str:
    text = text_of(value)
    if text is None:
        raise TypeError(
            f"the value {value!r} of context feature {feature!r} has no obvious text; it must be a str, an int, a UUID "
            "or a member of a str enum, or None to leave the feature out"
        )
    return text
