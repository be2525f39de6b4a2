"""Update a YAML file with settings from a service, and keep its comments, its order and its form."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any, Final

import click

from heksherlite.cli.sameness import same_value
from heksherlite.cli.settings_dump import DUMPED_FIELDS, dumped_rule, dumped_value, rule_fields
from heksherlite.operations import NOT_GIVEN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ruamel.yaml import YAML

    from heksherlite.cli.planning import StoredRule, StoredSetting
    from heksherlite.cli.settings_files import WantedRule, WantedSetting

_LIST: Final = re.compile(r"^( *)[\w.]+:[ \t]*(?:#.*)?\n(?:[ \t]*(?:#.*)?\n)*( *)- ", re.MULTILINE)
_MAPPING: Final = re.compile(r"^settings:[ \t]*(?:#.*)?\n(?:[ \t]*(?:#.*)?\n)*( +)\S", re.MULTILINE)
_LONGEST_LINE: Final = 1_000_000


def update_file(path: Path, wanted: Sequence[WantedSetting], stored: Mapping[str, StoredSetting]) -> bool:
    """Make the settings in a file those of a service, and return whether the file changed.

    A setting that the file does not have is added. What the file does not manage stays so: a setting without ``rules``
    gets none.

    Args:
        path: The YAML file, which is valid.
        wanted: What the file has.
        stored: The settings of the service, by name. Others in the file stay as they are.

    Raises:
        click.ClickException: The file cannot be read or written.
    """
    try:
        text = path.read_text("utf-8")
        updated = _updated(text, {setting.name: setting for setting in wanted}, stored)
        if updated == text:
            return False
        _replace(path, updated)
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error.strerror}") from error
    return True


def _replace(path: Path, text: str) -> None:
    """Replace a file at once, with the permissions that it had."""
    target = path.resolve()
    temporary = target.with_name(f".{target.name}.tmp")
    temporary.write_text(text, "utf-8")
    temporary.chmod(target.stat().st_mode & 0o777)
    temporary.replace(target)


def _updated(text: str, wanted: Mapping[str, WantedSetting], stored: Mapping[str, StoredSetting]) -> str:
    yaml = _round_trip(text)
    root = yaml.load(text)
    if root.get("settings") is None or (not root["settings"] and stored):
        root["settings"] = yaml.load("x: 1\n")
        del root["settings"]["x"]
    settings = root["settings"]
    changed = False
    for name, setting in sorted(stored.items()):
        if name in settings:
            changed |= _update_setting(yaml, settings, wanted[name], setting)
        else:
            settings[name] = yaml.load("rules: []\n")
            new = settings[name]
            if setting.operator_default is not NOT_GIVEN:
                new.insert(0, "default", _value(yaml, setting.operator_default))
            if setting.rules:
                new["rules"] = yaml.load("- a\n")
                new["rules"][:] = [_rule(yaml, rule) for rule in setting.rules]
            changed = True
    if not changed:
        return text
    written = io.StringIO()
    yaml.dump(root, written)
    return written.getvalue()


def _update_setting(yaml: YAML, settings: Any, wanted: WantedSetting, stored: StoredSetting) -> bool:
    node = settings[wanted.name]
    changed = _update_default(yaml, node, wanted, stored)
    return changed if wanted.rules is None else _update_rules(yaml, node, wanted.rules, stored) or changed


def _update_default(yaml: YAML, node: Any, wanted: WantedSetting, stored: StoredSetting) -> bool:
    if stored.operator_default is NOT_GIVEN:
        return node.pop("default", NOT_GIVEN) is not NOT_GIVEN
    if wanted.default is NOT_GIVEN or not same_value(wanted.default, stored.operator_default):
        if "default" in node:
            node["default"] = _value(yaml, stored.operator_default)
        else:
            node.insert(0, "default", _value(yaml, stored.operator_default))
        return True
    return False


def _update_rules(yaml: YAML, node: Any, wanted: Sequence[WantedRule], stored: StoredSetting) -> bool:
    changed = False
    left = {frozenset(rule.where.items()): rule for rule in stored.rules}
    listed = node["rules"]
    gone = []
    for index, rule in enumerate(wanted):
        there = left.pop(frozenset(rule.where.items()), None)
        if there is None:
            gone.append(index)
        else:
            changed |= _update_rule(yaml, listed[index], rule, there)
    for index in reversed(gone):
        del listed[index]
    if not left:
        return changed or bool(gone)
    added = [_rule(yaml, rule) for rule in left.values()]
    if listed:
        listed.extend(added)
    else:
        node["rules"] = yaml.load("- a\n")
        node["rules"][:] = added
    return True


def _update_rule(yaml: YAML, node: Any, wanted: WantedRule, stored: StoredRule) -> bool:
    """Change the fields of a rule that are not those of the service."""
    has, fields = rule_fields(wanted), rule_fields(stored)
    changed = False
    for name in DUMPED_FIELDS:
        one, other = has.get(name, NOT_GIVEN), fields.get(name, NOT_GIVEN)
        if other is NOT_GIVEN:
            if one is not NOT_GIVEN:
                del node[name]
                changed = True
        elif one is NOT_GIVEN or not same_value(one, other):
            node[name] = _value(yaml, other)
            changed = True
    return changed


def _value(yaml: YAML, value: Any) -> Any:
    return yaml.load(dumped_value(value))["value"]


def _rule(yaml: YAML, rule: StoredRule) -> Any:
    return yaml.load(dumped_rule(rule))


def _round_trip(text: str) -> YAML:
    """Return what reads and writes YAML with its comments, in the indentation of a text.

    Scalars have no types, so that each is written as it was, and ``007`` or ``2030-01-31`` do not become others.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.resolver import VersionedResolver

    class Untyped(VersionedResolver):
        @property
        def versioned_resolver(self) -> Any:
            return {}

    yaml = YAML()
    yaml.Resolver = Untyped
    yaml.preserve_quotes = True
    yaml.width = _LONGEST_LINE
    found = _LIST.search(text)
    offset = len(found[2]) - len(found[1]) if found else 0
    mapping = _MAPPING.search(text)
    yaml.indent(mapping=len(mapping[1]) if mapping else 2, sequence=offset + 2, offset=offset)
    return yaml
