"""``heksherlite check``: whether a program's settings fit a service, before the program is deployed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from heksherlite.cli.output import FORMATS, as_text, conditions_text, output_option, plain, print_rows
from heksherlite.cli.profiles import complete_profiles
from heksherlite.cli.services import Service, service_of_profile, service_options

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from heksherlite.admin import AdminClient, DeclarationDifference, DeclarationPreview
    from heksherlite.setting import Setting


UNDECLARED: Final = "undeclared"

_COLUMNS: Final = {"SETTING": "setting", "OUTCOME": "outcome", "DIFFERENCES": "differs", "REJECTED": "count"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingCheck:
    """What was found out about a setting.

    Attributes:
        setting: Its name.
        outcome: What its declaration would do: ``created``, ``uptodate``, ``upgraded``, ``outdated``, ``mismatch`` or
            ``rejected``; ``refused`` if it is invalid. ``undeclared`` if only the service has it, and no program
            declares it any more.
        differences: How it differs from the stored setting, in words.
        rejected: The rules and the default of the service that the program would not use, with the reasons.
    """

    setting: str
    outcome: str
    differences: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether something would change, or a value would not be used."""
        return self.outcome != "uptodate" or bool(self.rejected)


@click.command()
@click.argument("modules", metavar="MODULE...", nargs=-1, required=True)
@click.option(
    "--against",
    metavar="PROFILE",
    shell_complete=complete_profiles,
    help="The profile of the service to compare with, like --profile.",
)
@click.option("--exit-code", is_flag=True, help="Exit with status 2 if something differs, or a rule would be rejected.")
@click.option(
    "--undeclared-for",
    "days",
    metavar="DAYS",
    type=click.IntRange(0),
    help="Also list the settings of the service that no program has declared for this number of days. They do not"
    " change the exit status.",
)
@output_option
@service_options
def check(
    modules: Sequence[str],
    *,
    against: str | None,
    exit_code: bool,
    days: int | None,
    output: FORMATS,
    service: Service,
) -> None:
    """Compare the settings of a program with a service, and declare nothing.

    The command imports the modules, as Python programs do, from the current folder too. For each setting, it shows what
    its declaration would do, and which rules of the service the type, the schema or a validator of the program would
    reject.
    """
    settings = _settings_of(modules)
    if against is not None:
        service = service_of_profile(against)
    with service.connect() as admin:
        checks = [_checked(admin, setting) for setting in settings]
        if days is not None:
            checks += _undeclared(admin, days, {setting.name for setting in settings})
    rows = plain(checks)
    if output == "table":
        for row, each in zip(rows, checks, strict=True):
            row["differs"] = "; ".join(each.differences)
            row["count"] = len(each.rejected) or ""
        print_rows(output, rows, _COLUMNS)
        for each in checks:
            for line in each.rejected:
                click.echo(f"{each.setting}: {line}")
    else:
        print_rows(output, rows, {})
    if exit_code and any(each.differs for each in checks if each.outcome != UNDECLARED):
        click.get_current_context().exit(2)


def _undeclared(admin: AdminClient, days: int, declared: Collection[str]) -> Iterator[SettingCheck]:
    """Yield the settings that no program has declared for some time, nor these modules."""
    for name, time in admin.undeclared_settings(days).items():
        if name not in declared:
            last = "never declared" if time is None else f"last declared at {time:%Y-%m-%d %H:%M} UTC"
            yield SettingCheck(setting=name, outcome=UNDECLARED, differences=(last,))


def _settings_of(modules: Sequence[str]) -> list[Setting[Any]]:
    """Import modules, and return all settings that there are then, by name."""
    from heksherlite.setting import existing_settings

    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    for module in modules:
        try:
            import_module(module)
        except Exception as error:
            raise click.ClickException(f"cannot import {module}: {type(error).__name__}: {error}") from error
    settings = existing_settings()
    if not settings:
        raise click.ClickException(f"{', '.join(modules)} declares no settings")
    return settings


def _checked(admin: AdminClient, setting: Setting[Any]) -> SettingCheck:
    from heksherlite.errors import RequestRefusedError

    try:
        preview = admin.preview_declaration(setting.to_v1_declaration_body())
    except RequestRefusedError as error:
        return SettingCheck(setting=setting.name, outcome="refused", differences=(str(error),))
    return SettingCheck(
        setting=setting.name,
        outcome=preview.outcome,
        differences=tuple(_differences(preview)),
        rejected=tuple(_rejected(admin, setting)),
    )


def _differences(preview: DeclarationPreview) -> Iterator[str]:
    if preview.latest_version is not None:
        yield f"the service has version {preview.latest_version}"
    yield from map(_difference, preview.differences)


def _difference(difference: DeclarationDifference) -> str:
    if difference.message is not None:
        return difference.message
    return f"{difference.attribute} ({difference.level}): the service has {as_text(difference.latest_value)}"


def _rejected(admin: AdminClient, setting: Setting[Any]) -> Iterator[str]:
    """Yield the values of the service that the program would not use."""
    from heksherlite.engine.updates import receive
    from heksherlite.errors import RequestRefusedError
    from heksherlite.operations import NOT_GIVEN
    from heksherlite.rules import QueriedRule

    for name in filter(None, (setting.name, setting.alias)):
        try:
            details, rules = admin.setting(name), admin.rules(name)
        except RequestRefusedError as error:
            if error.status != 404:
                raise
            continue
        break
    else:
        return
    values: list[tuple[str, Any, QueriedRule[Any] | None]] = [
        (
            f"rule {rule.rule_id} where {conditions_text(rule.feature_values)}",
            rule.value,
            QueriedRule(rule.rule_id, tuple(rule.feature_values.items()), rule.value),
        )
        for rule in rules
    ]
    if details.operator_default_value is not NOT_GIVEN:
        values.append(("the operator's default", details.operator_default_value, None))
    for what, value, queried in values:
        try:
            coercions = receive(setting, value, queried).coercions
        except Exception as error:  # noqa: BLE001 - whatever the program's functions raise
            yield f"{what}: the value {as_text(value)} is rejected: {error}"
        else:
            if coercions:
                yield f"{what}: the value {as_text(value)} only fits in part: {'; '.join(coercions)}"
