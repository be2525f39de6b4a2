"""Files with settings: what a team keeps in its repository. No service is needed to read and check them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from heksherlite.cli.settings_parsing import PARSERS, FileFault, Node, Place, parsed, plain_content
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


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedRule:
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


@dataclass(slots=True)
class _Reader:
    file: str
    faults: list[FileFault] = field(default_factory=list)
    needs_owner: bool = True

    def fault(self, place: Place, message: str) -> None:
        self.faults.append(FileFault(place, message))

    def settings(self, root: Node) -> Iterator[WantedSetting]:
        required = {"owner", "settings"} if self.needs_owner else {"settings"}
        fields = self.fields(root, "the file", {"owner", "settings"}, required=required)
        if fields is None:
            return
        owner = self.text(fields["owner"], "the owner") if "owner" in fields else None
        settings = fields.get("settings")
        if settings is None:
            return
        if not isinstance(settings.content, dict):
            self.fault(settings.place, "settings must be an object with the names of settings as keys")
            return
        for name, node in settings.content.items():
            if SETTING_NAME.fullmatch(name) is None:
                self.fault(node.place, f"{name!r} is not a name of a setting: use letters, digits, _ and .")
            wanted = self.setting(name, node, owner)
            if wanted is not None:
                yield wanted

    def setting(self, name: str, node: Node, owner: str | None) -> WantedSetting | None:
        fields = self.fields(node, f"setting {name}", {"default", "rules"})
        if fields is None:
            return None
        default = plain_content(fields["default"]) if "default" in fields else NOT_GIVEN
        rules: list[WantedRule] | None = None
        if "rules" in fields:
            listed = fields["rules"]
            if not isinstance(listed.content, list):
                self.fault(listed.place, f"the rules of setting {name} must be a list; [] is a setting without rules")
            else:
                rules = [rule for rule in map(self.rule, listed.content) if rule is not None]
                self.check_distinct(name, rules)
        default_place = fields["default"].place if "default" in fields else None
        return WantedSetting(
            place=node.place, name=name, owner=owner, default=default, default_place=default_place, rules=rules
        )

    def check_distinct(self, name: str, rules: Sequence[WantedRule]) -> None:
        seen: dict[frozenset[tuple[str, str]], Place] = {}
        for rule in rules:
            conditions = frozenset(rule.where.items())
            if not conditions:
                continue  # which is a fault already
            if conditions in seen:
                self.fault(rule.place, f"setting {name} has a rule with the same conditions at {seen[conditions]}")
            else:
                seen[conditions] = rule.place

    def rule(self, node: Node) -> WantedRule | None:
        known = {"where", "value", "reason", "from", "until"}
        fields = self.fields(node, "a rule", known, required={"where", "value"})
        if fields is None or "where" not in fields or "value" not in fields:
            return None
        starts_at, ends_at = self.time(fields.get("from")), self.time(fields.get("until"))
        if starts_at is not None and ends_at is not None and starts_at >= ends_at:
            self.fault(fields["until"].place, "until must be after from")
        return WantedRule(
            place=node.place,
            where=self.conditions(fields["where"]),
            value=plain_content(fields["value"]),
            reason=self.text(fields["reason"], "the reason") if "reason" in fields else None,
            starts_at=starts_at,
            ends_at=ends_at,
        )

    def conditions(self, node: Node) -> dict[str, str]:
        if not isinstance(node.content, dict) or not node.content:
            self.fault(node.place, "where must be an object such as {environment: dev}, with at least one condition")
            return {}
        conditions = {}
        for feature, each in node.content.items():
            value = each.content
            if CONTEXT_FEATURE_NAME.fullmatch(feature) is None:
                self.fault(each.place, f"{feature!r} is not a name of a context feature: use letters, digits and _")
            if isinstance(value, int) and not isinstance(value, bool):
                value = str(value)
            if not isinstance(value, str):
                self.fault(each.place, f"the value of {feature} must be a text; put it into quotes")
            elif not is_context_feature_value(value):
                message = f"{value!r} is not a value of a context feature: use letters, digits and _.@+=~/-"
                self.fault(each.place, message)
            else:
                conditions[feature] = value
        return conditions

    def time(self, node: Node | None) -> datetime | None:
        if node is None:
            return None
        try:
            time = datetime.fromisoformat(node.content)
        except (TypeError, ValueError):
            self.fault(node.place, f"{node.content!r} is not a time such as 2030-01-31T12:00")
            return None
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)

    def text(self, node: Node, what: str) -> str | None:
        if isinstance(node.content, str) and node.content:
            return node.content
        self.fault(node.place, f"{what} must be a text that is not empty")
        return None

    def fields(
        self,
        node: Node,
        what: str,
        known: set[str],
        required: set[str] = frozenset(),  # type: ignore[assignment]
    ) -> dict[str, Node] | None:
        """Return the fields of an object, without those that are unknown; None if it is no object."""
        if not isinstance(node.content, dict):
            self.fault(node.place, f"{what} must be an object with {' and '.join(sorted(required or known))}")
            return None
        for name, each in node.content.items():
            if name not in known:
                nearest = nearest_name(name, known)
                hint = f"; did you mean {nearest}?" if nearest else f"; the fields are {', '.join(sorted(known))}"
                self.fault(each.place, f"{what} has no field {name!r}{hint}")
        for name in sorted(required - node.content.keys()):
            self.fault(node.place, f"{what} needs {name}")
        return {name: each for name, each in node.content.items() if name in known}


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
        reader = _Reader(str(path), faults, needs_owner)
        root = parsed(path, faults)
        if root is None:
            continue
        before = len(faults)
        for setting in reader.settings(root):
            if setting.name in places:
                reader.fault(setting.place, f"setting {setting.name} is at {places[setting.name]} too")
            places.setdefault(setting.name, setting.place)
            wanted.append(setting)
        faults[before:] = sorted(faults[before:], key=lambda fault: (fault.place.line or 0, fault.place.column or 0))
    if faults:
        raise SettingsFilesError(faults)
    return wanted


def _expanded(files: Sequence[str], faults: list[FileFault]) -> Iterator[Path]:
    for name in files:
        path = Path(name)
        if path.is_dir():
            found = sorted(each for each in path.rglob("*") if each.suffix in PARSERS and each.is_file())
            if not found:
                faults.append(FileFault(Place(name), "the folder has no files that end with .yaml, .json or .toml"))
            yield from found
        else:
            yield path
