"""``heksherlite get`` and ``explain``: the value of a setting in a context, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from heksherlite.cli.arguments import context_option, name_argument, parse_conditions, parse_moment
from heksherlite.cli.differences import region_text
from heksherlite.cli.output import FORMATS, as_text, conditions_text, output_option, plain, print_one
from heksherlite.cli.services import Service, service_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from heksherlite.admin import DecidedBy, ExplainedRule, ExplainedSetting


@click.command()
@name_argument
@context_option
@output_option
@service_options
def get(name: str, contexts: Sequence[str], output: FORMATS, service: Service) -> None:
    """Print the value of the setting NAME in a context.

    A text is printed as it is, and any other value as JSON. If the value depends on context features that are not
    given, the command fails and names them.
    """
    from heksherlite.admin import NOT_GIVEN

    context = parse_conditions(contexts, "--context")
    with service.connect() as admin:
        (explained,) = admin.explain([name], context, limit=1).explanations.values()
    if explained.value is NOT_GIVEN:
        missing = ",".join([f"{feature}=VALUE" for feature in explained.missing])
        raise click.ClickException(f"the value of {name} depends on more of the context: add --context {missing}")
    value = explained.value
    print_one(output, value, lambda: value if isinstance(value, str) else as_text(value))


@click.command()
@name_argument
@context_option
@click.option(
    "--at",
    metavar="TIME",
    help="The time to explain instead of now: a time in UTC, 2h for two hours ago, or a revision.",
)
@output_option
@service_options
def explain(name: str, contexts: Sequence[str], at: str | None, output: FORMATS, service: Service) -> None:
    """Explain why the setting NAME has its value in a context.

    If context features are missing, the command lists the values that the setting may have, and where.
    """
    context = parse_conditions(contexts, "--context")
    with service.connect() as admin:
        shown = admin.explain([name], context, at=parse_moment(at, "--at"))
    (explained,) = shown.explanations.values()
    print_one(
        output,
        {"revision": shown.revision, **plain(explained)},
        lambda: "\n".join(_description(explained, shown.revision)),
    )


def _description(explained: ExplainedSetting, revision: int) -> Iterator[str]:
    if explained.decided_by is not None:
        source = _source(explained.decided_by)
        yield f"{explained.setting} is {as_text(explained.value)}, by {source} (revision {revision})"
    else:
        yield f"{explained.setting} depends on {', '.join(explained.missing)} (revision {revision}):"
        for possible in explained.possible_values:
            yield f"  {as_text(possible.value)} {region_text(possible.region)}, by {_source(possible.decided_by)}"
        if explained.possible_values_truncated:
            yield "  and more"
    if explained.rules:
        yield f"rules, in the order in which they win ({len(explained.rules)} of {explained.rule_count}):"
    for rule in explained.rules:
        yield f"  {rule.rule_id}: {as_text(rule.value)} where {conditions_text(rule.feature_values)}: {_outcome(rule)}"


def _source(decided_by: DecidedBy) -> str:
    if decided_by.kind == "rule":
        return f"rule {decided_by.rule_id}"
    return "the operator's default" if decided_by.kind == "operator_default" else "the program's default"


def _outcome(rule: ExplainedRule) -> str:
    match rule.outcome:
        case "no_match":
            failed = rule.failed
            return "does not match" if failed is None else f"does not match: {failed.feature} is {failed.given}"
        case "outranked":
            return "matches, and another rule wins"
        case "possible":
            return "may win"
        case "not_served":
            return f"is not served: {rule.phase}"
    return "wins"
