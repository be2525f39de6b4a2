"""Files with settings: what a team keeps in its repository. No service is needed to read and check them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from heksherlite.cli.settings_parsing import PARSERS, Document, Field, FileFault, Place, parsed, scalar_content
from heksherlite.names import CONTEXT_FEATURE_NAME, SETTING_NAME, is_context_feature_value, nearest_name
from heksherlite.operations import NOT_GIVEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SCHEMA: Final[Mapping[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Settings in a repository",
    "type": "object",
    "required": ["owner", "settings"],
    "additionalProperties": False,
    "properties": {
        "owner": {"type": "string", "minLength": 1, "description": "Who manages these settings, such as a team."},
        "settings": {
            "type": "object",
            "propertyNames": {"pattern": f"^{SETTING_NAME.pattern}$"},
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "default": {"description": "The operator's default: the value where no rule matches."},
                    "rules": {
                        "type": "array",
                        "description": "The rules of the setting. Without this key, its rules are not managed.",
                        "items": {
                            "type": "object",
                            "required": ["where", "value"],
                            "additionalProperties": False,
                            "properties": {
                                "where": {
                                    "type": "object",
                                    "minProperties": 1,
                                    "propertyNames": {"pattern": f"^{CONTEXT_FEATURE_NAME.pattern}$"},
                                    "additionalProperties": {"type": ["string", "integer"]},
                                    "description": "The conditions, by context feature.",
                                },
                                "value": {"description": "The value of the setting where the rule wins."},
                                "reason": {"type": "string", "description": "Why there is this rule."},
                                "from": {"type": "string", "description": "From when it is served, in UTC."},
                                "until": {"type": "string", "description": "Until when it is served, in UTC."},
                            },
                        },
                    },
                },
            },
        },
    },
}
"""The JSON Schema of these files, for editors."""


class SettingsFilesError(Exception):
    """Files are malformed.

    Attributes:
        faults: Everything that is wrong, in the order of the files.
    """

    def __init__(self, faults: Sequence[FileFault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


class WantedRule(NamedTuple):
    """A rule in a file.

    Attributes:
        place: Where it is.
        where: Its conditions.
        value: Its value, as JSON.
        reason: Why there is this rule.
        starts_at: From when it is served, in UTC.
        ends_at: Until when it is served, in UTC.
    """

    place: Place
    where: Mapping[str, str]
    value: Any
    reason: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedSetting:
    """A setting in a file.

    Attributes:
        place: Where it is.
        name: Its name.
        owner: Who manages it; None if a person edits it.
        default: The operator's default, or `NOT_GIVEN`.
        default_place: Where the default is.
        rules: Its rules, or None if they are not managed.
    """

    place: Place
    name: str
    owner: str | None
    default: Any = NOT_GIVEN
    default_place: Place | None = None
    rules: Sequence[WantedRule] | None = None


_FILE_FIELDS: Final = frozenset({"owner", "settings"})
_FILE_FIELDS_OF_PERSONS: Final = frozenset({"settings"})
_SETTING_FIELDS: Final = frozenset({"default", "rules"})
_RULE_FIELDS: Final = frozenset({"where", "value", "reason", "from", "until"})
_REQUIRED_RULE_FIELDS: Final = frozenset({"where", "value"})

# The rules of a file have few features, and many values in common.
_is_feature_name: Final = lru_cache(maxsize=4096)(CONTEXT_FEATURE_NAME.fullmatch)
_is_feature_value: Final = lru_cache(maxsize=4096)(is_context_feature_value)


@dataclass(slots=True)
class _Reader:
    document: Document
    faults: list[FileFault] = field(default_factory=list)
    needs_owner: bool = True

    def fault(self, field: Field, message: str) -> None:
        self.faults.append(FileFault(self.document.place(field), message))

    def settings(self) -> Iterator[WantedSetting]:
        required = _FILE_FIELDS if self.needs_owner else _FILE_FIELDS_OF_PERSONS
        root = self.document.root
        fields = self.fields((root, root), "the file", _FILE_FIELDS, required)
        if fields is None:
            return
        owner = self.text(fields["owner"], "the owner") if "owner" in fields else None
        settings = fields.get("settings")
        if settings is None:
            return
        node = settings[1]
        if not isinstance(node, MappingNode):
            self.fault(settings, "settings must be an object with the names of settings as keys")
            return
        for name, each in self.document.fields(node).items():
            if SETTING_NAME.fullmatch(name) is None:
                self.fault(each, f"{name!r} is not a name of a setting: use letters, digits, _ and .")
            wanted = self.setting(name, each, owner)
            if wanted is not None:
                yield wanted

    def setting(self, name: str, field: Field, owner: str | None) -> WantedSetting | None:
        fields = self.fields(field, f"setting {name}", _SETTING_FIELDS)
        if fields is None:
            return None
        default, listed = fields.get("default"), fields.get("rules")
        rules: list[WantedRule] | None = None
        if listed is not None:
            if not isinstance(listed[1], SequenceNode):
                self.fault(listed, f"the rules of setting {name} must be a list; [] is a setting without rules")
            else:
                rules = [rule for rule in map(self.rule, listed[1].value) if rule is not None]
                self.check_distinct(name, rules)
        return WantedSetting(
            place=self.document.place(field),
            name=name,
            owner=owner,
            default=NOT_GIVEN if default is None else self.document.content(default[1]),
            default_place=None if default is None else self.document.place(default),
            rules=rules,
        )

    def check_distinct(self, name: str, rules: Sequence[WantedRule]) -> None:
        seen: dict[frozenset[tuple[str, str]], Place] = {}
        for rule in rules:
            conditions = frozenset(rule.where.items())
            if not conditions:
                continue  # which is a fault already
            if conditions in seen:
                message = f"setting {name} has a rule with the same conditions at {seen[conditions]}"
                self.faults.append(FileFault(rule.place, message))
            else:
                seen[conditions] = rule.place

    def rule(self, node: Node) -> WantedRule | None:
        fields = self.fields((node, node), "a rule", _RULE_FIELDS, _REQUIRED_RULE_FIELDS)
        if fields is None or "where" not in fields or "value" not in fields:
            return None
        starts_at = self.time(fields["from"]) if "from" in fields else None
        ends_at = self.time(fields["until"]) if "until" in fields else None
        if starts_at is not None and ends_at is not None and starts_at >= ends_at:
            self.fault(fields["until"], "until must be after from")
        return WantedRule(
            place=self.document.place((node, node)),
            where=self.conditions(fields["where"]),
            value=self.document.content(fields["value"][1]),
            reason=self.text(fields["reason"], "the reason") if "reason" in fields else None,
            starts_at=starts_at,
            ends_at=ends_at,
        )

    def conditions(self, where: Field) -> dict[str, str]:
        fields = self.document.fields(where[1]) if isinstance(where[1], MappingNode) else {}
        if not fields:
            self.fault(where, "where must be an object such as {environment: dev}, with at least one condition")
        conditions = {}
        for feature, each in fields.items():
            value = scalar_content(each[1]) if isinstance(each[1], ScalarNode) else None
            if not _is_feature_name(feature):
                self.fault(each, f"{feature!r} is not a name of a context feature: use letters, digits and _")
            if isinstance(value, int) and not isinstance(value, bool):
                value = str(value)
            if not isinstance(value, str):
                self.fault(each, f"the value of {feature} must be a text; put it into quotes")
            elif not _is_feature_value(value):
                self.fault(each, f"{value!r} is not a value of a context feature: use letters, digits and _.@+=~/-")
            else:
                conditions[feature] = value
        return conditions

    def time(self, field: Field) -> datetime | None:
        content = self.document.content(field[1])
        try:
            time = datetime.fromisoformat(content)
        except (TypeError, ValueError):
            self.fault(field, f"{content!r} is not a time such as 2030-01-31T12:00")
            return None
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)

    def text(self, field: Field, what: str) -> str | None:
        content = self.document.content(field[1])
        if isinstance(content, str) and content:
            return content
        self.fault(field, f"{what} must be a text that is not empty")
        return None

    def fields(
        self, field: Field, what: str, known: frozenset[str], required: frozenset[str] = frozenset()
    ) -> dict[str, Field] | None:
        """Return the fields of an object, without those that are unknown; None if it is no object."""
        node = field[1]
        if not isinstance(node, MappingNode):
            self.fault(field, f"{what} must be an object with {' and '.join(sorted(required or known))}")
            return None
        fields = self.document.fields(node)
        if not fields.keys() <= known:
            for name in [name for name in fields if name not in known]:
                nearest = nearest_name(name, known)
                hint = f"; did you mean {nearest}?" if nearest else f"; the fields are {', '.join(sorted(known))}"
                self.fault(fields.pop(name), f"{what} has no field {name!r}{hint}")
        if not fields.keys() >= required:
            for name in sorted(required - fields.keys()):
                self.fault(field, f"{what} needs {name}")
        return fields


def read_settings_files(files: Sequence[str], *, needs_owner: bool = True) -> list[WantedSetting]:
    """Read files and folders with settings.

    Args:
        files: The paths. Of a folder, all files that end with ``.yaml``, ``.yml``, ``.json`` or ``.toml`` are read.
        needs_owner: Whether a file has to name an owner.

    Raises:
        SettingsFilesError: A file cannot be read or is malformed, or two files have the same setting. The error lists
            all faults of all files.
    """
    faults: list[FileFault] = []
    wanted: list[WantedSetting] = []
    places: dict[str, Place] = {}
    for path in _expanded(files, faults):
        document = parsed(path, faults)
        if document is None:
            continue
        reader = _Reader(document, needs_owner=needs_owner)
        for setting in reader.settings():
            if setting.name in places:
                message = f"setting {setting.name} is at {places[setting.name]} too"
                reader.faults.append(FileFault(setting.place, message))
            places.setdefault(setting.name, setting.place)
            wanted.append(setting)
        if reader.faults or not document.is_regular:
            faults += document.key_faults()
        faults += sorted(reader.faults, key=lambda fault: (fault.place.line or 0, fault.place.column or 0))
    if faults:
        raise SettingsFilesError(faults)
    return wanted


def _expanded(files: Sequence[str], faults: list[FileFault]) -> Iterator[Path]:
    for name in files:
        path = Path(name)
        if path.is_dir():
            found = sorted(_files_in(path))
            if not found:
                faults.append(FileFault(Place(name), "the folder has no files that end with .yaml, .json or .toml"))
            yield from found
        else:
            yield path


def _files_in(folder: Path) -> Iterator[Path]:
    """Yield the files with settings in a folder and the folders in it, except hidden ones: those of tools."""
    for parent, folders, names in os.walk(folder, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files = [Path(parent, name) for name in names if not name.startswith(".")]
        yield from [file for file in files if file.suffix in PARSERS and file.is_file()]
