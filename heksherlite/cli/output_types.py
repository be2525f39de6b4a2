"""The results of commands that are not those of ``heksherlite.admin``."""

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
