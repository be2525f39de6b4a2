"""The calls of the service's API for operators: what is sent, and how the answer is read. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from heksherlite.admin import reading
from heksherlite.admin.explanations import Explanations
from heksherlite.admin.requests import Call, Moment, flag_text, json_call, moment_text, setting_path, without_none
from heksherlite.admin.results import (
    ChangeResult,
    DeclarationPreview,
    HistoryPage,
    Record,
    RuleDetails,
    SettingDetails,
)
from heksherlite.contexts import text_of
from heksherlite.operations import Operation


def change(
    operations: Iterable[Operation],
    *,
    dry_run: bool = False,
    base_revision: int | str | None = None,
    reason: str | None = None,
    break_glass: bool = False,
) -> Call[ChangeResult]:
    """Make operations as one change, or none of them.

    Args:
        operations: The operations, in order. Each one may use what an earlier one made.
        dry_run: Whether to return the same result, or raise the same error, and change nothing. This takes scope
            ``read`` only.
        base_revision: The number or the name of the revision that the author looked at. What others changed since is a
            conflict, if an operation touches it. So is a name of another service, or of a database that was replaced.
            None: no conflict.
        reason: The reason, for the history.
        break_glass: Whether to change protected settings in an emergency. It requires scope ``admin`` and a reason.

    Returns:
        What changed, and what it does to the values of settings.

    Raises:
        ChangeConflictsError: Operations cannot be made. The message contains the conflicts.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    body = without_none(
        operations=[operation.as_json() for operation in operations],
        dry_run=dry_run,
        base_revision=base_revision,
        reason=reason,
        break_glass=break_glass,
    )
    return json_call("POST", "changes", reading.change_result, body=body, changes_nothing=dry_run)


def list_settings(*, last_change: bool = False) -> Call[tuple[SettingDetails, ...]]:
    """Return all settings, sorted by name.

    Args:
        last_change: Whether to say when, by whom and why each of them was changed last.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """

    def read(shown: Any) -> tuple[SettingDetails, ...]:
        return tuple([reading.setting_details(each) for each in shown["settings"]])

    return json_call(
        "GET", "settings", read, include_additional_data="true", include_last_change=flag_text(last_change)
    )


def setting(name: str) -> Call[SettingDetails]:
    """Return a setting.

    Args:
        name: Its name, or an alias.

    Raises:
        RequestRefusedError: There is no such setting: status 404.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    return json_call("GET", setting_path(name), reading.setting_details)


def schema(setting: str) -> Call[Mapping[str, Any]]:
    """Return the JSON Schema of the values of a setting: its type, and the schema that the program declared.

    Args:
        setting: Its name, or an alias.

    Raises:
        RequestRefusedError: There is no such setting: status 404.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    return json_call("GET", f"{setting_path(setting)}/schema", dict)


def rules(setting: str) -> Call[tuple[RuleDetails, ...]]:
    """Return all rules of a setting, also those that are not served now, ordered by id.

    Args:
        setting: Its name, or an alias.

    Raises:
        RequestRefusedError: There is no such setting: status 404.
        AdminError: There is no answer, or the request is refused for another reason.
    """

    def read(shown: Any) -> tuple[RuleDetails, ...]:
        return tuple([reading.rule_details(rule, rule["rule_id"]) for rule in shown["rules"]])

    return json_call("GET", setting_path(setting), read, include_rules="true")


def rule(rule_id: int) -> Call[RuleDetails]:
    """Return a rule.

    Args:
        rule_id: Its id.

    Raises:
        RequestRefusedError: There is no such rule: status 404.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    return json_call("GET", f"rules/{rule_id}", partial(reading.rule_details, rule_id=rule_id))


def explain(
    settings: Sequence[str] | None = None,
    context: Mapping[str, str] | None = None,
    *,
    at: Moment | None = None,
    and_at: Moment | None = None,
    limit: int = 100,
    offset: int | None = None,
) -> Call[Explanations]:
    """Return why settings have their values in a context.

    Args:
        settings: Their names. None: all settings.
        context: The values of context features. The others are unknown, and the explanations list the possible values.
        at: The time or revision to explain. None: now.
        and_at: A second time or revision, to compare with.
        limit: The maximum number of rules to list for each setting.
        offset: The number of rules to skip. None: so many that the winner is listed.

    Raises:
        RequestRefusedError: There is no such setting (status 404), context feature or time (status 422).
        AdminError: There is no answer, or the request is refused for another reason.
        TypeError: ``settings`` is a string, or a value in the context has no obvious text.
    """
    if isinstance(settings, str):
        raise TypeError(f"settings must be a list of names: write [{settings!r}]")
    return json_call(
        "GET",
        "explain",
        reading.explanations,
        settings=None if settings is None else ",".join(settings),
        context=",".join([_condition(feature, value) for feature, value in context.items()]) if context else None,
        at=moment_text(at),
        and_at=moment_text(and_at),
        limit=limit,
        offset=offset,
    )


def history(
    *,
    setting: str | None = None,
    rule_id: int | None = None,
    application: str | None = None,
    author: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 100,
) -> Call[HistoryPage]:
    """Return the latest changes, the newest first.

    Args:
        setting: Only changes of settings that have or had this name, and of their rules.
        rule_id: Only changes of this rule.
        application: Only changes of applications with this identifier.
        author: Only changes by this token or person.
        since: Only changes at or after this time.
        until: Only changes before this time.
        before: Only revisions below this one.
        limit: The maximum number of records. A page of large changes has fewer.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """
    return json_call(
        "GET",
        "history",
        reading.history_page,
        setting=setting,
        rule_id=rule_id,
        application=application,
        author=author,
        since=moment_text(since),
        until=moment_text(until),
        before=before,
        limit=limit,
    )


def record(revision: int) -> Call[Record]:
    """Return all changes of a revision.

    Args:
        revision: The revision.

    Raises:
        RequestRefusedError: There is no such revision: status 404.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    return json_call("GET", f"history/{revision}", reading.record)


def revert(revision: int, *, reason: str | None = None, dry_run: bool = False) -> Call[int]:
    """Revert all changes of a revision with a new change, and return its revision.

    Args:
        revision: The revision to revert.
        reason: The reason, for the history.
        dry_run: Whether to raise the same error if it cannot be reverted, and change nothing. Then the newest revision
            is returned.

    Raises:
        RequestRefusedError: There is no such revision: status 404.
        ChangeConflictsError: Others have changed the same things since. The message lists the conflicts.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    body = without_none(reason=reason, dry_run=dry_run or None)
    path = f"history/{revision}/revert"
    return json_call("POST", path, lambda shown: int(shown["revision"]), body=body, changes_nothing=dry_run)


def context_features() -> Call[tuple[str, ...]]:
    """Return the context features, from the most general to the most specific.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """
    return json_call("GET", "context_features", lambda shown: tuple(shown["context_features"]))


def preview_declaration(declaration: Mapping[str, Any]) -> Call[DeclarationPreview]:
    """Return what a declaration would do. Nothing is stored.

    Args:
        declaration: The body of the declaration, as :meth:`heksherlite.Setting.to_v1_declaration_body` returns it.

    Raises:
        RequestRefusedError: The declaration is invalid, or a context feature or the alias does not exist.
        AdminError: There is no answer, or the request is refused for another reason.
    """
    return json_call(
        "POST", "declarations/preview", reading.declaration_preview, body=declaration, changes_nothing=True
    )


def undeclared_settings(days: int) -> Call[Mapping[str, datetime | None]]:
    """Return the settings that no program has declared for some time, by name, each with when it was last declared.

    The time is in UTC. It is None if the service knows of no declaration.

    Args:
        days: For how many days.

    Raises:
        AdminError: There is no answer, or the request is refused.
    """
    return json_call("GET", "settings", reading.undeclared_settings, undeclared_for=days)


def _condition(feature: str, value: object) -> str:
    text = text_of(value)
    if text is None:
        raise TypeError(f"context: the value of {feature!r} must be text, not {value!r}")
    return f"{feature}:{text}"
