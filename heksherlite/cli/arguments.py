"""Arguments of commands that manage settings: conditions, contexts, values and times."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

import click
import orjson

from heksherlite.cli.completion import complete_features, complete_settings
from heksherlite.names import CONTEXT_FEATURE_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from heksherlite.operations import AnyOperation

context_option: Final[Callable[[Callable[..., Any]], Callable[..., Any]]] = click.option(
    "--context",
    "contexts",
    metavar="FEATURE=VALUE,...",
    multiple=True,
    shell_complete=complete_features,
    help="The context: values of context features, separated by commas. Repeat the option for several.",
)

_DISTANCE: Final = re.compile(r"([0-9]{1,9})([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}

name_argument: Final[Callable[[Callable[..., Any]], Callable[..., Any]]] = click.argument(
    "name", shell_complete=complete_settings
)


def parse_conditions(texts: Sequence[str], option: str) -> dict[str, str]:
    """Return values of context features.

    Args:
        texts: Each of them ``feature=value``, or several of these with commas in between.
        option: The option that they come from, for errors.

    Raises:
        click.BadParameter: A text is malformed, or has a feature twice.
    """
    conditions: dict[str, str] = {}
    for term in ",".join(texts).split(",") if texts else ():
        feature, separator, value = term.strip().partition("=")
        if not separator or CONTEXT_FEATURE_NAME.fullmatch(feature) is None or not value:
            raise click.BadParameter(f"expected FEATURE=VALUE, such as user=john, not {term!r}", param_hint=option)
        if feature in conditions:
            raise click.BadParameter(f"{feature!r} is given twice", param_hint=option)
        conditions[feature] = value
    return conditions


def parse_value(text: str, wire_type: str) -> Any:
    """Return a value of a setting: the JSON of a text if it fits the type, or else the text itself if that fits.

    If neither does, the service says what is wrong with the JSON.

    Args:
        text: The text.
        wire_type: The type of the setting, as on the wire.

    Raises:
        click.BadParameter: The setting is true or false and the text is not, or has an integer of more than 64 bits.
    """
    from heksherlite.errors import TypeStringError
    from heksherlite.json_texts import LongIntegerError, parse_json
    from heksherlite.values.type_strings import parse_type

    if wire_type == "bool":
        if text.lower() not in {"true", "false"}:
            raise click.BadParameter(f"the setting is true or false, not {text!r}", param_hint="VALUE")
        return text.lower() == "true"
    accepts: Callable[[str], bool] = _accepts_nothing
    with suppress(TypeStringError):  # of a newer service
        accepts = parse_type(wire_type).accepts
    try:
        value = parse_json(text)
    except LongIntegerError as error:
        if accepts(text):
            return text
        raise click.BadParameter(error.msg, param_hint="VALUE") from error
    except orjson.JSONDecodeError:
        return text
    return text if accepts(text) and not accepts(value) else value


def _accepts_nothing(_value: object) -> bool:
    return False


def parse_time(text: str | None, option: str, *, from_now: bool = False) -> datetime | None:
    """Return a time, in UTC unless it has an offset.

    Args:
        text: The time in ISO 8601, or its distance from now, such as ``30m``, ``2h`` or ``7d``.
        option: The option that it comes from, for errors.
        from_now: Whether a distance leads into the future. Otherwise, it leads into the past.

    Raises:
        click.BadParameter: The text is not a time.
    """
    if text is None:
        return None
    try:
        if match := _DISTANCE.fullmatch(text):
            distance = timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
            now = datetime.now(UTC).replace(microsecond=0)
            return now + distance if from_now else now - distance
        time = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        reason = f"expected a time such as 2030-01-31T12:00, or 30m, 2h or 7d {'from now' if from_now else 'ago'}"
        raise click.BadParameter(f"{reason}, not {text!r}", param_hint=option) from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def parse_moment(text: str | None, option: str) -> int | datetime | None:
    """Return a revision, or a time as `parse_time` reads it.

    Raises:
        click.BadParameter: The text is neither.
    """
    return int(text) if text is not None and text.isascii() and text.isdigit() else parse_time(text, option)


def operations_in(shown: Any) -> list[AnyOperation]:
    """Return the operations in a JSON list.

    Raises:
        click.BadParameter: It is not a list, or an item is not an operation.
    """
    from heksherlite.operations import OPERATIONS, operation_from

    if not isinstance(shown, list):
        raise click.BadParameter("expected a list of operations", param_hint="FILE")
    operations = []
    for index, each in enumerate(shown):
        try:
            operations.append(operation_from(each))
        except KeyError as error:
            reason = f"{error} is not an operation; there are {', '.join(sorted(OPERATIONS))}"
            raise click.BadParameter(f"operations[{index}]: {reason}", param_hint="FILE") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise click.BadParameter(f"operations[{index}]: {error}", param_hint="FILE") from error
    return operations


def matches(name: str, pattern: str | None) -> bool:
    """Return whether a pattern selects the name of a setting: a part of the name, or a pattern such as ``shop.*``."""
    if pattern is None:
        return True
    return fnmatchcase(name, pattern) if any(sign in pattern for sign in "*?[") else pattern in name
