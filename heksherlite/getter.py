"""Writes the ``get`` of a setting: one method per shape of setting, with real keyword parameters.

For a setting of the features ``environment`` and ``theme``, where the client takes ``theme`` from a context variable,
the method is::

    def get(_self, /, *, environment=NO_VALUE, theme=NO_VALUE, **_others):
        _lookup = _self._lookup
        if theme is NO_VALUE:
            try:
                theme = _lookup.variables[1].get()
            except LookupError:
                pass
        if _others:
            _raise_unknown_features(_self, _others)
        try: return _lookup[environment, theme]
        except TypeError as _error: raise _context_error(_error, _lookup, (environment, theme)) from None

The lookup is taken first, so that everything a call sees is of one state. It knows what stands for a constant that is
left out, but a variable has to be read at each call. A value that cannot be hashed is named by the handler, which costs
nothing otherwise. A feature whose name cannot be a parameter
(``class``, ``1st``) is taken out of ``_others``. Settings of one shape share one method, and its source is registered
with :mod:`linecache`, so tracebacks and debuggers show it.
"""

import linecache
from collections.abc import Mapping
from functools import lru_cache
from keyword import iskeyword
from typing import Any, NoReturn

from heksherlite.lookup import context_error
from heksherlite.rule_sets import NO_VALUE

_USED_IN_SOURCE = frozenset({"NO_VALUE", "LookupError", "TypeError"})


def get_source(features: tuple[str, ...], variable_positions: tuple[int, ...]) -> str:
    """Return the source of ``get`` for these features, of which those at the given positions have a variable."""
    local = [feature if _can_be_parameter(feature) else f"_feature_{i}" for i, feature in enumerate(features)]
    parameters = [f"{feature}=NO_VALUE" for feature in features if _can_be_parameter(feature)]
    signature = ", ".join(["_self", "/", *(["*", *parameters] if parameters else []), "**_others"])
    lines = [f"def get({signature}):", "    _lookup = _self._lookup"]
    for feature, name in zip(features, local, strict=True):
        if name != feature:
            lines.append(f"    {name} = _others.pop({feature!r}, NO_VALUE)")
    for position in variable_positions:
        lines += [
            f"    if {local[position]} is NO_VALUE:",
            "        try:",
            f"            {local[position]} = _lookup.variables[{position}].get()",
            "        except LookupError:",
            "            pass",
        ]
    lines += [
        "    if _others:",
        "        _raise_unknown_features(_self, _others)",
        f"    try: return _lookup[{', '.join(local)}]",  # on one line, try costs no instruction
        f"    except TypeError as _error: raise _context_error(_error, _lookup, ({', '.join(local)},)) from None",
    ]
    return "\n".join(lines) + "\n"


def _can_be_parameter(feature: str) -> bool:
    return (
        feature.isascii()
        and feature.isidentifier()
        and not iskeyword(feature)
        and not feature.startswith("_")
        and feature not in _USED_IN_SOURCE
    )


def raise_unknown_features(setting: Any, unknown: Mapping[str, Any]) -> NoReturn:
    """Raise the :class:`ValueError` for keyword arguments that are not configurable features of the setting."""
    raise ValueError(
        f"setting {setting.name!r} is not configurable by {', '.join(map(repr, sorted(unknown)))}; "
        f"its configurable features are {', '.join(map(repr, setting.configurable_features))}"
    )


@lru_cache(maxsize=1024)
def class_with_get(base: type, features: tuple[str, ...], variable_positions: tuple[int, ...]) -> type:
    """Return the subclass of ``base`` whose ``get`` is written for these features."""
    source = get_source(features, variable_positions)
    filename = f"<heksherlite get({', '.join(features)}) variables={variable_positions}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace: dict[str, Any] = {
        "NO_VALUE": NO_VALUE,
        "_context_error": context_error,
        "_raise_unknown_features": raise_unknown_features,
    }
    exec(compile(source, filename, "exec"), namespace)  # noqa: S102 - only feature names that were checked go in
    get = namespace["get"]
    get.__doc__ = base.get.__doc__  # type: ignore[attr-defined]
    get.__module__ = base.__module__
    get.__qualname__ = f"{base.__qualname__}.get"
    members = {
        "__doc__": base.__doc__,
        "__module__": base.__module__,
        "__qualname__": base.__qualname__,
        "__slots__": (),
        "_written_from": base,
        "get": get,
    }
    # They are not in Setting itself, where they would slow down its creation.
    if not any("__setattr__" in ancestor.__dict__ for ancestor in base.__mro__ if ancestor is not object):
        members["__setattr__"] = getattr(base, "_set_or_hint", object.__setattr__)
        members["__delattr__"] = getattr(base, "_delete_or_hint", object.__delattr__)
    return type(base.__name__, (base,), members)
