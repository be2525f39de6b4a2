"""What ``heksherlite diff`` compares: the settings and rules of a service, now or earlier, or of files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import orjson

from heksherlite.cli.output import conditions_text
from heksherlite.cli.sameness import same_value
from heksherlite.operations import NOT_GIVEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_EXPORT: Final = b'{"format":"heksherlite-export"'


@dataclass(frozen=True, slots=True)
class State:
    """Settings by name, each with its parts.

    Attributes:
        settings: For each setting its parts, such as ``default`` or ``where user=john``, as JSON.
        manages: For each setting that a file manages in part, the kinds of parts that it has: ``default``, ``rules``.
            None: all settings whole.
    """

    settings: Mapping[str, Mapping[str, Any]]
    manages: Mapping[str, frozenset[str]] | None = None

    def has_say(self, setting: str, part: str) -> bool:
        """Return whether the state says something about a part of a setting, if only that there is none."""
        if self.manages is None:
            return True
        kind = "rules" if part.startswith("where ") else part
        return kind in self.manages.get(setting, frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class StateDifference:
    """A part of a setting that is not the same in two states.

    Attributes:
        setting: The name of the setting.
        what: The part: ``type``, ``configurable features``, ``default of the program``, ``default``, or the conditions
            of a rule, as in ``where user=john``.
        a: What it is in the first state, or `NOT_GIVEN`.
        b: What it is in the second one, or `NOT_GIVEN`.
    """

    setting: str
    what: str
    a: Any = NOT_GIVEN
    b: Any = NOT_GIVEN


def state_of_export(lines: Iterable[bytes]) -> State:
    """Return the state that an export contains."""
    settings: dict[str, dict[str, Any]] = {}
    parts: dict[str, Any] = {}
    for line in lines:
        record = orjson.loads(line)
        if "setting" in record:
            setting = record["setting"]
            parts = settings[setting["name"]] = {
                "type": setting["type"],
                "configurable features": setting["configurable_features"],
                "default of the program": setting["default_value"],
            }
            if "operator_default_value" in setting:
                parts["default"] = setting["operator_default_value"]
        elif "rule" in record:
            rule = record["rule"]
            parts[_rule_part(rule["feature_values"])] = _rule(rule["value"], rule.get("starts_at"), rule.get("ends_at"))
    return State(settings)


def state_of_files(files: Iterable[str]) -> State:
    """Return the state that files with settings, or an export, describe.

    Raises:
        click.ClickException: A file is malformed.
    """
    from heksherlite.cli.output import plain
    from heksherlite.cli.settings_files import SettingsFilesError, read_settings_files

    names = list(files)
    if len(names) == 1 and Path(names[0]).is_file():
        with Path(names[0]).open("rb") as file:
            if file.read(len(_EXPORT)) == _EXPORT:
                file.seek(0)
                return state_of_export(file)
    try:
        wanted = read_settings_files(names, needs_owner=False)
    except SettingsFilesError as error:
        raise click.ClickException(f"the files are malformed:\n{error}") from error
    settings: dict[str, dict[str, Any]] = {}
    manages: dict[str, frozenset[str]] = {}
    for setting in wanted:
        parts = {} if setting.default is NOT_GIVEN else {"default": setting.default}
        for rule in setting.rules or ():
            parts[_rule_part(rule.where)] = _rule(rule.value, plain(rule.starts_at), plain(rule.ends_at))
        settings[setting.name] = parts
        kinds = {"default": setting.default is not NOT_GIVEN, "rules": setting.rules is not None}
        manages[setting.name] = frozenset(kind for kind, given in kinds.items() if given)
    return State(settings, manages)


def differences_of(one: State, other: State) -> Iterator[StateDifference]:
    """Yield what differs, sorted by setting. What a file does not manage is not compared."""
    for name in sorted(one.settings.keys() | other.settings.keys()):
        if (one.manages is not None and name not in one.manages) or (
            other.manages is not None and name not in other.manages
        ):
            continue
        before, after = one.settings.get(name), other.settings.get(name)
        for part in {**(before or {}), **(after or {})}:
            if not (one.has_say(name, part) and other.has_say(name, part)):
                continue
            a, b = (NOT_GIVEN if parts is None else parts.get(part, NOT_GIVEN) for parts in (before, after))
            if a is NOT_GIVEN or b is NOT_GIVEN or not same_value(a, b):
                yield StateDifference(setting=name, what=part, a=a, b=b)


def _rule_part(where: Mapping[str, str]) -> str:
    return f"where {conditions_text(dict(sorted(where.items())))}"


def _rule(value: Any, starts_at: str | None, ends_at: str | None) -> dict[str, Any]:
    times = {"from": starts_at, "until": ends_at}
    return {"value": value, **{name: time for name, time in times.items() if time is not None}}
