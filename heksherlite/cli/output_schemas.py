"""The JSON Schemas of what commands print with ``-o json``, made from the types of their results.

``docs/reference/output.schema.json`` is the published copy. ``python -m heksherlite.cli.output_schemas`` prints it.
"""

import dataclasses
import types
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints, is_typeddict

from heksherlite.admin import (
    ApplicationCredentials,
    ApplicationDetails,
    ChangeResult,
    ExplainedSetting,
    ImportResult,
    Proposal,
    Record,
    RuleDetails,
    SettingDetails,
    TokenDetails,
)
from heksherlite.cli.check import SettingCheck
from heksherlite.cli.output_types import (
    AccessChange,
    AppliedPlan,
    CreatedInvitation,
    CreatedToken,
    DeclarerRow,
    DumpedFile,
    GroupRow,
    MadePlan,
    NewApplication,
    ProfileRow,
    Revert,
    SettingRow,
    Validation,
)
from heksherlite.cli.states import StateDifference
from heksherlite.operations import NOT_GIVEN, Operation

_Changed: TypeAlias = ChangeResult | Proposal


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _ShownSetting(SettingDetails):
    rules: tuple[RuleDetails, ...]
    last_change: Record | None  # type: ignore[assignment]  # the whole record


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Explained(ExplainedSetting):
    revision: int


OUTPUTS: Final[Mapping[str, Any]] = {
    "app approve": NewApplication | AccessChange,
    "app deny": AccessChange,
    "app expire": tuple[ApplicationDetails, ...] | AccessChange,
    "app invite": CreatedInvitation | AccessChange,
    "app list": tuple[ApplicationDetails, ...],
    "app register": NewApplication | AccessChange,
    "app revoke": tuple[ApplicationDetails, ...] | AccessChange,
    "app rotate": ApplicationCredentials | AccessChange,
    "app show": ApplicationDetails,
    "apply": AppliedPlan,
    "check": tuple[SettingCheck, ...],
    "declarer add": AccessChange,
    "declarer list": tuple[DeclarerRow, ...],
    "declarer remove": AccessChange,
    "diff": tuple[StateDifference, ...],
    "dump": DumpedFile,
    "edit": _Changed,
    "explain": _Explained,
    "get": Any,
    "group attach": AccessChange,
    "group detach": AccessChange,
    "group list": tuple[GroupRow, ...],
    "group remove": AccessChange,
    "group secret list": tuple[str, ...],
    "group secret remove": AccessChange,
    "group secret set": AccessChange,
    "group set": AccessChange,
    "group show": Mapping[str, Any],
    "history list": tuple[Record, ...],
    "history show": Record,
    "import": ImportResult,
    "plan": MadePlan,
    "profile list": tuple[ProfileRow, ...],
    "proposals approve": Proposal,
    "proposals comment": Proposal,
    "proposals create": _Changed,
    "proposals list": tuple[Proposal, ...],
    "proposals reject": Proposal,
    "proposals show": Proposal,
    "proposals withdraw": Proposal,
    "revert": Revert,
    "rules delete": _Changed,
    "rules list": tuple[RuleDetails, ...],
    "set": _Changed,
    "settings default": _Changed,
    "settings delete": _Changed,
    "settings list": tuple[SettingRow, ...],
    "settings protect": _Changed,
    "settings rename": _Changed,
    "settings show": _ShownSetting,
    "settings show-to-clients": _Changed,
    "token create": CreatedToken | AccessChange,
    "token list": tuple[TokenDetails, ...],
    "token revoke": AccessChange,
    "token rotate-signing-key": AccessChange,
    "unset": _Changed,
    "validate": Validation,
    "watch": Record,
}
"""The type of what each command prints. ``watch`` prints one for each change."""

_SCALARS: Final[Mapping[Any, Mapping[str, Any]]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    types.NoneType: {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    Any: {},
    object: {},
}


def output_schemas() -> dict[str, Any]:
    """Return a JSON Schema with the outputs of all commands in ``$defs``, such as ``settings list``."""
    definitions: dict[str, Any] = {}
    for command, kind in OUTPUTS.items():
        definitions[command] = _schema_of(kind, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What the commands of heksherlite print with -o json",
        "$defs": dict(sorted(definitions.items())),
    }


def output_schema(command: str) -> dict[str, Any]:
    """Return the JSON Schema of what a command prints, such as ``settings list``."""
    schemas = output_schemas()
    return {"$schema": schemas["$schema"], "$ref": f"#/$defs/{command.replace(' ', '%20')}", "$defs": schemas["$defs"]}


def _schema_of(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if kind in _SCALARS:
        return dict(_SCALARS[kind])
    origin, args = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        choices = [_schema_of(each, definitions) for each in args]
        return {"anyOf": [each for index, each in enumerate(choices) if each not in choices[:index]]}
    if origin is Literal:
        return {"enum": list(args)}
    if origin in {tuple, list, Mapping, Sequence}:
        members = _schema_of(args[-1] if origin is Mapping else args[0], definitions)
        return {"type": "object", "additionalProperties": members} if origin is Mapping else _array_of(members)
    if isinstance(kind, type) and issubclass(kind, Operation):
        return {"type": "object", "required": ["op"], "properties": {"op": {"type": "string"}}}
    return _object_of(kind, definitions)


def _array_of(members: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": members}


def _object_of(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    name = kind.__name__.lstrip("_")
    if name not in definitions:
        definitions[name] = {}  # so that a type may contain itself
        hints = get_type_hints(kind)
        definitions[name] = {
            "type": "object",
            "required": [field for field in hints if _is_always_there(kind, field)],
            "properties": {field: _schema_of(hint, definitions) for field, hint in hints.items()},
        }
    return {"$ref": f"#/$defs/{name}"}


def _is_always_there(kind: Any, field: str) -> bool:
    if dataclasses.is_dataclass(kind):
        defaults = {each.name: each.default for each in dataclasses.fields(kind)}
        return field in defaults and defaults[field] is not NOT_GIVEN
    return field in kind.__required_keys__ if is_typeddict(kind) else True


if __name__ == "__main__":
    import orjson

    print(orjson.dumps(output_schemas(), option=orjson.OPT_INDENT_2).decode())  # noqa: T201
