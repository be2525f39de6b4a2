"""``heksherlite set``, ``unset`` and ``rules``: the rules of a setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from heksherlite.cli.arguments import name_argument, parse_conditions, parse_time, parse_value
from heksherlite.cli.changing import ChangeMode, change_options
from heksherlite.cli.completion import complete_features
from heksherlite.cli.output import FORMATS, as_text, conditions_text, output_option, plain, print_rows
from heksherlite.cli.services import Service, service_options

if TYPE_CHECKING:
    from collections.abc import Sequence

_WHERE = click.option(
    "--where",
    metavar="FEATURE=VALUE,...",
    multiple=True,
    required=True,
    shell_complete=complete_features,
    help="The conditions of the rule, separated by commas. Repeat the option for several.",
)


@click.command(name="set")
@name_argument
@click.argument("value")
@_WHERE
@click.option("--from", "from_", metavar="TIME", help="From when the rule is served, in UTC. By default from now.")
@click.option("--until", metavar="TIME", help="Until when the rule is served, in UTC. By default without an end.")
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

    starts_at, ends_at = parse_time(from_, "--from"), parse_time(until, "--until")
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

    conditions = parse_conditions(where, "--where")
    with service.connect() as admin:
        mode.carry_out(admin, [DeleteRule(setting=name, feature_values=conditions)])


@click.group()
def rules() -> None:
    """Look at rules."""


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
