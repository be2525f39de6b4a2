"""``heksherlite settings``: list, show and change settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from heksherlite.cli.arguments import context_option, matches, name_argument, parse_conditions, parse_value
from heksherlite.cli.changing import ChangeMode, change_options
from heksherlite.cli.differences import change_text
from heksherlite.cli.garbage import without_collections
from heksherlite.cli.groups import CommandGroup
from heksherlite.cli.output import FORMATS, as_text, conditions_text, output_option, plain, print_one, print_rows
from heksherlite.cli.progress import spinner
from heksherlite.cli.services import Service, service_options
from heksherlite.names import MANAGED_BY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from heksherlite.admin import AdminClient, ExplainedSetting, LastChange, Record, RuleDetails, SettingDetails

_SETTINGS_AT_ONCE: Final = 100
"""The number of settings that one request explains."""


@click.group(cls=CommandGroup)
def settings() -> None:
    """List, show and change settings."""


@settings.command(name="list")
@click.argument("pattern", required=False)
@context_option
@click.option(
    "--search",
    metavar="TEXT",
    help="Only settings with this text in a value or a condition, such as --search john or --search user=john. The"
    " case of letters does not matter.",
)
@output_option
@service_options
@without_collections()
def list_(pattern: str | None, contexts: Sequence[str], search: str | None, output: FORMATS, service: Service) -> None:
    """List settings with their types, values, numbers of rules, and last changes.

    PATTERN selects by name: the part of a name, or a pattern such as shop.*. The value is the one in the context; if
    it depends on context features that are not given, the command shows how many values are possible. With --search,
    it also shows what has the text.
    """
    context = parse_conditions(contexts, "--context")
    with service.connect() as admin, spinner("reading"):
        found = [each for each in admin.list_settings(last_change=True) if matches(each.name, pattern)]
        hits = None if search is None else _containing(admin.export(), search)
        if hits is not None:
            found = [each for each in found if each.name in hits]
        details = {each.name: each for each in found}
        explained = (each for each in _explained(admin, [*details], context) if each.setting in details)
        made = {each.setting: _row(details[each.setting], each) for each in explained}
    rows = [made[name] for name in details if name in made]
    columns = {"NAME": "name", "TYPE": "type", "VALUE": "value", "RULES": "rules", "LAST CHANGE": "last_change"}
    if hits is not None:
        columns["FOUND"] = "found"
        for row in rows:
            row["found"] = hits[row["name"]]
    if output == "table":
        for row in rows:
            row["value"] = as_text(row["value"]) if "value" in row else f"one of {row['possible_values']}"
            row["found"] = "; ".join(row.get("found", ()))
            row["last_change"] = _last_change_text(row["last_change"])
    print_rows(output, rows, columns)


@settings.command()
@name_argument
@output_option
@service_options
def show(name: str, output: FORMATS, service: Service) -> None:
    """Show everything about the setting NAME: its defaults, its rules, and its last change."""
    with service.connect() as admin:
        setting = admin.setting(name)
        rules = admin.rules(name)
        last = admin.history(setting=setting.name, limit=1).records
    shown = {**plain(setting), "rules": plain(rules), "last_change": plain(last[0]) if last else None}
    print_one(output, shown, lambda: "\n".join(_description(setting, rules, last)))


@settings.command()
@name_argument
@click.argument("value", required=False)
@click.option("--clear", is_flag=True, help="Remove the operator's default, so that the program's is in force.")
@change_options
@service_options
def default(name: str, value: str | None, clear: bool, mode: ChangeMode, service: Service) -> None:
    """Set the operator's default of the setting NAME: its value wherever no rule matches."""
    from heksherlite.admin import ClearDefault, SetDefault

    if (value is None) != clear:
        raise click.UsageError("Give either VALUE or --clear.")
    with service.connect() as admin:
        if value is None:
            mode.carry_out(admin, [ClearDefault(setting=name)])
        else:
            parsed = parse_value(value, admin.setting(name).type)
            mode.carry_out(admin, [SetDefault(setting=name, value=parsed)])


@settings.command()
@name_argument
@click.argument("new_name")
@change_options
@service_options
def rename(name: str, new_name: str, mode: ChangeMode, service: Service) -> None:
    """Rename the setting NAME. Its earlier name becomes an alias."""
    from heksherlite.admin import RenameSetting

    with service.connect() as admin:
        mode.carry_out(admin, [RenameSetting(setting=name, name=new_name)])


@settings.command()
@name_argument
@change_options
@service_options
def delete(name: str, mode: ChangeMode, service: Service) -> None:
    """Delete the setting NAME and its rules."""
    from heksherlite.admin import DeleteSetting

    with service.connect() as admin:
        mode.carry_out(admin, [DeleteSetting(setting=name)])


@settings.command()
@name_argument
@click.option("--off", is_flag=True, help="End the protection.")
@change_options
@service_options
def protect(name: str, off: bool, mode: ChangeMode, service: Service) -> None:
    """Protect the setting NAME, so that only proposals change it and its rules."""
    from heksherlite.admin import SetProtection

    with service.connect() as admin:
        mode.carry_out(admin, [SetProtection(setting=name, protected=not off)])


@settings.command("show-to-clients")
@name_argument
@click.option("--off", is_flag=True, help="Show it no more.")
@change_options
@service_options
def show_to_clients(name: str, off: bool, mode: ChangeMode, service: Service) -> None:
    """Show the values of the setting NAME to tokens that have only the scope evaluate."""
    from heksherlite.admin import SetClientVisible

    with service.connect() as admin:
        mode.carry_out(admin, [SetClientVisible(setting=name, client_visible=not off)])


def _containing(export: bytes, text: str) -> dict[str, list[str]]:
    """Return the settings with a text in a default, a value or a condition, each with what has it."""
    from heksherlite.cli.states import state_of_export

    found = {}
    for name, parts in state_of_export(export.splitlines()).settings.items():
        shown = [
            f"{part}: {as_text(value['value'] if part.startswith('where ') else value)}"
            for part, value in parts.items()
            if part.startswith(("where ", "default"))
        ]
        if having := [each for each in shown if text.casefold() in each.partition(" ")[2].casefold()]:
            found[name] = having
    return found


def _explained(admin: AdminClient, names: Sequence[str], context: Mapping[str, str]) -> Iterator[ExplainedSetting]:
    for start in range(0, len(names), _SETTINGS_AT_ONCE):
        portion = names[start : start + _SETTINGS_AT_ONCE]
        yield from admin.explain(portion, context, limit=1000).explanations.values()


def _marks(setting: SettingDetails) -> str:
    return ", protected" * setting.protected + ", visible to clients" * setting.client_visible


def _row(setting: SettingDetails, explained: ExplainedSetting) -> dict[str, Any]:
    from heksherlite.admin import NOT_GIVEN

    row = {
        "name": setting.name,
        "type": setting.type,
        "rules": explained.rule_count,
        "last_change": setting.last_change,
    }
    if explained.value is not NOT_GIVEN:
        return {**row, "value": explained.value}
    return {**row, "missing": list(explained.missing), "possible_values": len(explained.possible_values)}


def _last_change_text(change: LastChange | None) -> str:
    return "" if change is None else f"{change.time:%Y-%m-%d %H:%M} {change.author.name or change.author.kind}"


def _description(setting: SettingDetails, rules: Sequence[RuleDetails], last: Sequence[Record]) -> Iterator[str]:
    from heksherlite.admin import NOT_GIVEN

    yield f"{setting.name} ({setting.type}), version {setting.version}{_marks(setting)}"
    yield f"configurable by: {', '.join(setting.configurable_features)}"
    if setting.aliases:
        yield f"aliases: {', '.join(setting.aliases)}"
    yield f"default of the program: {as_text(setting.declared_default_value)}"
    if setting.operator_default_value is not NOT_GIVEN:
        owner = setting.operator_default_metadata.get(MANAGED_BY)
        managed = f", managed in a repository by {owner}" if owner else ""
        yield f"default of the operator: {as_text(setting.operator_default_value)}{managed}"
    if setting.metadata:
        yield f"metadata: {as_text(dict(setting.metadata))}"
    for record in last:
        by = f"{record.author.kind} {record.author.name or ''}".strip()
        yield f"last change: revision {record.revision} by {by} at {record.time:%Y-%m-%d %H:%M:%S} UTC"
        yield from (f"  {change_text(change)}" for change in record.changes[:5])
    yield f"rules: {len(rules)}"
    for rule in rules:
        phase = f" ({rule.phase})" if rule.phase else ""
        yield f"  {rule.rule_id}: {as_text(rule.value)} where {conditions_text(rule.feature_values)}{phase}"
