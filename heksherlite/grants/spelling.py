"""Keys whose spelling is not known, such as those in the names of environment variables. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from heksherlite.errors import GrantError
from heksherlite.grants.facts import Facts


class LooseKey(str):
    """A key whose spelling is not known, for example because the names of environment variables are in upper case.

    Among layers, it stands for the key of another layer that differs only in case, hyphens and underscores:
    ``pool_size`` stands for ``poolSize`` and for ``pool-size``.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Names:
    """The new names of keys.

    Attributes:
        own: The new key and the names below it, by old key.
    """

    own: dict[str, "tuple[str, Names]"] = field(default_factory=dict)

    def translate(self, keys: Sequence[str]) -> tuple[str, ...]:
        """Return the new keys of a key path."""
        if not keys:
            return ()
        new, below = self.own.get(keys[0], (keys[0], _NO_NAMES))
        return (new, *below.translate(keys[1:]))


_NO_NAMES = Names()


def has_loose_keys(facts: object) -> bool:
    """Return whether a key at any level is a :class:`LooseKey`."""
    return isinstance(facts, Mapping) and any(
        isinstance(key, LooseKey) or has_loose_keys(value) for key, value in facts.items()
    )


def respell(layers: Sequence[Mapping[str, Any]]) -> list[tuple[Facts, Names]]:
    """Return layers whose loose keys are spelled like the keys of the other layers, each with its new names.

    Loose keys that no other layer has are unchanged.

    Raises:
        GrantError: If a loose key could stand for several keys, or several loose keys of a layer for the same key.
    """
    return _respell(layers, "")


def _respell(layers: Sequence[Mapping[str, Any]], path: str) -> list[tuple[Facts, Names]]:
    spelled = _by_form(key for layer in layers for key in layer if not isinstance(key, LooseKey))
    loose: dict[str, str] = {}
    names = [_new_names(layer, spelled, loose, path) for layer in layers]
    results: list[tuple[Facts, Names]] = [({}, Names()) for _ in layers]
    by_name: dict[str, list[tuple[int, str]]] = {}
    for index, own in enumerate(names):
        for old, new in own.items():
            by_name.setdefault(new, []).append((index, old))
    for new, places in by_name.items():
        groups = [(index, old) for index, old in places if isinstance(layers[index][old], Mapping)]
        below = dict(zip(groups, _respell([layers[index][old] for index, old in groups], f"{path}{new}."), strict=True))
        for index, old in places:
            facts, own_names = results[index]
            value, names_below = below.get((index, old), (layers[index][old], _NO_NAMES))
            facts[new] = value
            own_names.own[old] = (new, names_below)
    return results


def _new_names(
    layer: Mapping[str, Any], spelled: Mapping[str, list[str]], loose: dict[str, str], path: str
) -> dict[str, str]:
    """Return the new key of each key of a layer.

    Args:
        layer: The layer.
        spelled: The keys of all layers that are not loose, by form.
        loose: The loose keys of earlier layers by form, to which those of this layer are added.
        path: The path of the layer, for errors.
    """
    names: dict[str, str] = {}
    taken: dict[str, str] = {}
    forms: dict[str, str] = {}
    for key in layer:
        new = key
        if isinstance(key, LooseKey):
            form = _form(key)
            candidates = spelled.get(form, [])
            if key not in candidates and len(candidates) > 1:
                options = " or ".join(f"{path}{candidate}" for candidate in candidates)
                raise GrantError(f"{path}{key} could stand for {options}")
            if key in candidates:
                new = str(key)
            elif candidates:
                new = candidates[0]
            else:
                new = loose.get(form, key)
                forms[form] = key
        if new in taken:
            raise GrantError(f"both {path}{taken[new]} and {path}{key} stand for {path}{new}")
        names[key] = new
        taken[new] = key
    for form, key in forms.items():
        loose.setdefault(form, key)
    return names


def _by_form(keys: Iterable[str]) -> dict[str, list[str]]:
    forms: dict[str, list[str]] = {}
    for key in dict.fromkeys(keys):
        forms.setdefault(_form(key), []).append(key)
    return forms


def _form(key: str) -> str:
    return key.replace("_", "").replace("-", "").casefold()
