"""The options of ``heksherlite serve`` about who may use the service, and how much of it."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import wraps
from ipaddress import ip_network
from typing import Any

import click

from heksherlite.service.domain.limits import Limits
from heksherlite.service.options import AccessOptions, Network


def _networks(_context: click.Context, _parameter: click.Parameter, values: Sequence[str]) -> tuple[Network, ...]:
    try:
        return tuple(map(ip_network, values))
    except ValueError as error:
        raise click.BadParameter(f"{error}: a network is like 10.0.0.0/8, or an address") from error


_DEFAULTS = Limits()
_OPTIONS = (
    click.option(
        "--auth",
        type=click.Choice(["none", "tokens"]),
        default="none",
        show_default=True,
        help="Whether requests need a token (heksherlite token create). The first start with tokens prints one that"
        " may do everything. none is refused on an address that other machines can reach.",
    ),
    click.option(
        "--insecure", is_flag=True, help="Let everybody who can reach the service read and change everything."
    ),
    click.option(
        "--trust-user-header",
        metavar="HEADER",
        help="The header in which a reverse proxy names the person who asks, such as X-Forwarded-Email. It names who"
        " changed something; what may be done is up to the token. Needs --trusted-proxies.",
    ),
    click.option(
        "--trusted-proxies",
        metavar="CIDR",
        multiple=True,
        callback=_networks,
        help="From where --trust-user-header and X-Forwarded-For, -Proto and -Host are believed, such as 10.0.0.0/8 or"
        " 127.0.0.1; may be given several times.",
    ),
    click.option(
        "--operator",
        "operators",
        metavar="PERSON",
        multiple=True,
        help="Who, as --trust-user-header names them, may let applications in on the pages without a token; * is"
        " everybody whom it names. May be given several times.",
    ),
    click.option(
        "--max-body-size",
        type=click.IntRange(min=1),
        default=_DEFAULTS.max_body_size,
        show_default=True,
        help="Bytes that the body of a request may have.",
    ),
    click.option(
        "--max-value-size",
        type=click.IntRange(min=1),
        default=_DEFAULTS.max_value_size,
        show_default=True,
        help="Bytes of JSON that one value, default value, type, name or metadata may have.",
    ),
    click.option(
        "--max-settings",
        type=click.IntRange(min=1),
        default=_DEFAULTS.max_settings,
        show_default=True,
        help="How many settings there may be.",
    ),
    click.option(
        "--max-rules",
        type=click.IntRange(min=1),
        default=_DEFAULTS.max_rules,
        show_default=True,
        help="How many rules there may be, of all settings together.",
    ),
    click.option(
        "--request-timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=_DEFAULTS.request_timeout,
        show_default=True,
        help="Seconds that a request may take to come in, and again to be answered.",
    ),
    click.option(
        "--writes-per-second",
        type=click.FloatRange(min=0, min_open=True),
        default=_DEFAULTS.writes_per_second,
        show_default=True,
        help="Writes and declarations that each token, or address without tokens, may make in the long run; ten"
        " seconds' worth of them may come at once.",
    ),
)


def access_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command; it gets an `AccessOptions` and `Limits`, as ``access`` and ``limits``."""

    @wraps(command)
    def run(
        *,
        auth: Any,
        insecure: bool,
        trust_user_header: str | None,
        trusted_proxies: tuple[Network, ...],
        operators: tuple[str, ...],
        **others: Any,
    ) -> None:
        try:
            access = AccessOptions(
                auth=auth,
                insecure=insecure,
                trust_user_header=trust_user_header,
                trusted_proxies=trusted_proxies,
                operators=frozenset(operators),
            )
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--trust-user-header") from error
        limits = Limits(**{limit.name: others.pop(limit.name) for limit in fields(Limits)})
        command(access=access, limits=limits, **others)

    for option in reversed(_OPTIONS):
        run = option(run)
    return run
