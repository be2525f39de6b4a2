"""The results of commands that are not those of ``heksherlite.admin``."""

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

from heksherlite.admin import AnyOperation, LastChange, Record
from heksherlite.cli.planning import PlanItem


class SettingRow(TypedDict):
    """A row of ``heksherlite settings list``: a setting with its value, or what the value depends on."""

    name: str
    type: str
    rules: int
    last_change: LastChange | None
    value: NotRequired[Any]
    missing: NotRequired[list[str]]
    possible_values: NotRequired[int]
    found: NotRequired[list[str]]


class ProfileRow(TypedDict):
    """A row of ``heksherlite profile list``."""

    name: str
    url: str
    has_token: bool
    current: bool


class Revert(TypedDict):
    """The result of ``heksherlite revert``: the revision that it made, null in a dry run, and what it reverts."""

    revision: int | None
    reverted: Record


class MadePlan(TypedDict):
    """The result of ``heksherlite plan``."""

    base_revision: str
    items: list[PlanItem]
    operations: list[AnyOperation]


class AppliedPlan(MadePlan):
    """The result of ``heksherlite apply``: also the revision, null if nothing was changed, and the files it wrote."""

    revision: int | None
    written: list[str]


class CreatedToken(TypedDict):
    """The result of ``heksherlite token create``: the name of the token, and the token."""

    name: str
    token: str


class CreatedInvitation(TypedDict):
    """The result of ``heksherlite app invite``."""

    identifier: str
    one_time_token: str


class NewApplication(TypedDict):
    """The result of ``heksherlite app approve`` and ``register``."""

    id: str


class GroupRow(TypedDict):
    """A row of ``heksherlite group list``: the identifiers of the applications that get the group, and its secrets."""

    name: str
    keys: list[str]
    secrets: list[str]
    applications: list[str]


class DeclarerRow(TypedDict):
    """A row of ``heksherlite declarer list``."""

    kind: str
    id: str
    name: str | None


class AccessChange(TypedDict):
    """A change of who has access, or with ``dry_run`` what would be changed: what is done to which subjects."""

    action: str
    subjects: list[str]
    dry_run: bool


class FaultInFile(TypedDict):
    """A fault that ``heksherlite validate`` found, and where: line and column begin at 1."""

    file: str
    line: int | None
    column: int | None
    message: str


class Validation(TypedDict):
    """The result of ``heksherlite validate``: the number of settings, which is null if there are faults."""

    settings: int | None
    faults: list[FaultInFile]


DumpedRule = TypedDict(
    "DumpedRule",
    {
        "where": Mapping[str, str],
        "value": Any,
        "reason": NotRequired[str],
        "from": NotRequired[str],
        "until": NotRequired[str],
    },
)
"""A rule of `DumpedSetting`."""


class DumpedSetting(TypedDict):
    """A setting of `DumpedFile`."""

    default: NotRequired[Any]
    rules: list[DumpedRule]


class DumpedFile(TypedDict):
    """The result of ``heksherlite dump``: a file with settings."""

    owner: NotRequired[str]
    settings: Mapping[str, DumpedSetting]
