"""``heksherlite set``, ``unset`` and ``rules``: the rules of a setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from heksherlite.cli.arguments import name_argument, parse_conditions, parse_time, parse_value
from heksherlite.cli.changing import ChangeMode, change_options
from heksherlite.cli.completion import complete_features
from heksherlite.cli.groups import CommandGroup
from heksherlite.cli.output import FORMATS, as_text, conditions_text, output_option, plain, print_rows
from heksherlite.cli.services import Service, service_options

if TYPE_CHECKING:
    from collections.abc import Sequence

_WHERE = click.option(
    "--where",
    metavar="FEATURE=VALUE,...",
    multiple=True,
    shell_complete=complete_features,
    help="The conditions of the rule, separated by commas. Repeat the option for several.",
)


@click.command(name="set")
@name_argument
@click.argument("value")
@_WHERE
@click.option(
    "--from",
    "from_",
    metavar="TIME",
    help="From when the rule is served: a time in UTC, or 2h for two hours from now. By default from now.",
)
@click.option(
    "--until",
    metavar="TIME",
    help="Until when the rule is served: a time in UTC, or 2h for two hours from now. By default without an end.",
)
@change_options
@service_options
def set_(
    name: str,
    value: str,
    where: Sequence[str],
    from_: str | None,
    until: str | None,
    mode: ChangeMode,
    service: Service,
) -> None:
    """Give the setting NAME a VALUE in some contexts.

    VALUE is JSON; a bare word is a text where the type of the setting wants one. If there is a rule with these
    conditions, it changes. heksherlite settings default sets the value for all other contexts.
    """
    from heksherlite.admin import NOT_GIVEN, PutRule

    if not where:
        raise click.UsageError(
            f"Missing option '--where'. For all contexts: heksherlite settings default {name} {value}"
        )
    starts_at, ends_at = parse_time(from_, "--from", from_now=True), parse_time(until, "--until", from_now=True)
    conditions = parse_conditions(where, "--where")
    with service.connect() as admin:
        put = PutRule(
            setting=name,
            feature_values=conditions,
            value=parse_value(value, admin.setting(name).type),
            starts_at=NOT_GIVEN if starts_at is None else starts_at,
            ends_at=NOT_GIVEN if ends_at is None else ends_at,
        )
        mode.carry_out(admin, [put])


@click.command()
@name_argument
@_WHERE
@change_options
@service_options
def unset(name: str, where: Sequence[str], mode: ChangeMode, service: Service) -> None:
    """Delete the rule of the setting NAME that has exactly these conditions."""
    from heksherlite.admin import DeleteRule

    if not where:
        raise click.UsageError("Missing option '--where'. heksherlite rules list shows the conditions of the rules.")
    conditions = parse_conditions(where, "--where")
    with service.connect() as admin:
        mode.carry_out(admin, [DeleteRule(setting=name, feature_values=conditions)])


@click.group(cls=CommandGroup)
def rules() -> None:
    """Look at rules, and delete them by ID."""


@rules.command()
@click.argument("rule_id", metavar="ID", type=click.IntRange(1))
@change_options
@service_options
def delete(rule_id: int, mode: ChangeMode, service: Service) -> None:
    """Delete the rule with this ID, which heksherlite rules list shows."""
    from heksherlite.admin import DeleteRule

    with service.connect() as admin:
        mode.carry_out(admin, [DeleteRule(rule_id=rule_id)])


@rules.command(name="list")
@name_argument
@output_option
@service_options
def list_(name: str, output: FORMATS, service: Service) -> None:
    """List all rules of the setting NAME, also those that are not served now."""
    with service.connect() as admin:
        found = plain(admin.rules(name))
    if output == "table":
        for rule in found:
            rule["where"], rule["shown"] = conditions_text(rule["feature_values"]), as_text(rule["value"])
    columns = {
        "ID": "rule_id",
        "WHERE": "where",
        "VALUE": "shown",
        "FROM": "starts_at",
        "UNTIL": "ends_at",
        "PHASE": "phase",
    }
    print_rows(output, found, columns)
