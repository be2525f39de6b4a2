"""Write the settings of a service as a file for a repository."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml

from heksherlite.cli.output import plain
from heksherlite.cli.planning import REASON, StoredRule
from heksherlite.cli.settings_parsing import plain_scalar
from heksherlite.operations import NOT_GIVEN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heksherlite.cli.planning import StoredSetting
    from heksherlite.cli.settings_files import WantedRule


_BEGIN_NUMBERS: Final = frozenset("+-.0123456789")
_NEXT_LINE: Final = "\x85"
"""A line break in YAML, which becomes a space unless it is escaped."""


class _InOneLine(dict[str, Any]):
    """An object that is written in one line."""


class _Representer:
    """Writes rules in one line each, and quotes texts that YAML 1.2 would not read as texts."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write equal values out, because files are edited by people."""
        del data
        return True


class _Dumper(_Representer, yaml.SafeDumper):
    """Written in Python. It writes emoji as they are."""


class _FastDumper(_Representer, getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Written in C if PyYAML has libyaml, and ten times as fast. It escapes emoji."""


def _in_one_line(dumper: yaml.SafeDumper, shown: _InOneLine) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", shown.items(), flow_style=True)


def _text(dumper: yaml.SafeDumper, shown: str) -> yaml.Node:
    is_like_a_number = shown[:1] in _BEGIN_NUMBERS
    is_quoted = is_like_a_number or not isinstance(plain_scalar(shown), str) or _NEXT_LINE in shown
    style = '"' if is_quoted else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", shown, style=style)


for _dumper in (_Dumper, _FastDumper):
    _dumper.add_representer(_InOneLine, _in_one_line)
    _dumper.add_representer(str, _text)


DUMPED_FIELDS: Final = ("value", "reason", "from", "until")
"""The fields of a rule in a file, beside its conditions."""

SCHEMA_URL: Final = (
    "https://raw.githubusercontent.com/heksherlite/heksherlite/main/docs/reference/settings-file.schema.json"
)
"""Where the JSON Schema of the files is published, for editors."""


def dumped(owner: str | None, stored: Mapping[str, StoredSetting]) -> str:
    """Return the text of a file with some settings.

    Args:
        owner: The owner that the file names, or None.
        stored: The settings of the service, by name.
    """
    first_line = "" if owner is None else f"# yaml-language-server: $schema={SCHEMA_URL}\n"
    return first_line + _as_yaml(dumped_fields(owner, stored))


def dumped_fields(owner: str | None, stored: Mapping[str, StoredSetting]) -> dict[str, Any]:
    """Return what `dumped` writes, as JSON."""
    settings: dict[str, Any] = {}
    for name, setting in sorted(stored.items()):
        default = {} if setting.operator_default is NOT_GIVEN else {"default": setting.operator_default}
        settings[name] = {**default, "rules": [_rule(rule) for rule in setting.rules]}
    return {"settings": settings} if owner is None else {"owner": owner, "settings": settings}


def dumped_rule(rule: StoredRule) -> str:
    """Return a rule as YAML."""
    return _as_yaml(_rule(rule))


def dumped_value(value: Any) -> str:
    """Return a value as YAML, as the only field of an object, ``value``."""
    return _as_yaml({"value": value})


def rule_fields(rule: StoredRule | WantedRule) -> dict[str, Any]:
    """Return the fields of a rule as a file has them, without its conditions."""
    reason = rule.metadata.get(REASON) if isinstance(rule, StoredRule) else rule.reason
    times = {"from": rule.starts_at, "until": rule.ends_at}
    return {
        "value": rule.value,
        **({"reason": reason} if isinstance(reason, str) and reason else {}),
        **{name: plain(time) for name, time in times.items() if time is not None},
    }


def _rule(rule: StoredRule) -> _InOneLine:
    return _InOneLine(where=_InOneLine(rule.where), **rule_fields(rule))


def _as_yaml(shown: Any) -> str:
    text = _written(shown, _FastDumper)
    return _written(shown, _Dumper) if "\\U" in text else text


def _written(shown: Any, dumper: type[yaml.SafeDumper]) -> str:
    text: str = yaml.dump(shown, Dumper=dumper, sort_keys=False, allow_unicode=True, width=1_000_000)
    return text
