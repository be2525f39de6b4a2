"""The options of ``heksherlite serve`` that authorize clients and limit what they may do."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import wraps
from ipaddress import ip_network
from typing import Any

import click

from heksherlite.cli.identity_provider import OPTIONS, pop_identity_provider
from heksherlite.service.domain.limits import Limits
from heksherlite.service.options import AccessOptions, Network


def _networks(_context: click.Context, _parameter: click.Parameter, values: Sequence[str]) -> tuple[Network, ...]:
    try:
        return tuple(map(ip_network, values))
    except ValueError as error:
        raise click.BadParameter(f"{error}: expected a network such as 10.0.0.0/8, or an address") from error


_DEFAULTS = Limits()
_ACCESS = AccessOptions()


def _limit(name: str, text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return the option for an attribute of `Limits`."""
    default = getattr(_DEFAULTS, name)
    positive = click.IntRange(min=1) if isinstance(default, int) else click.FloatRange(min=0, min_open=True)
    return click.option(f"--{name.replace('_', '-')}", type=positive, default=default, show_default=True, help=text)


_OPTIONS = (
    click.option(
        "--auth",
        type=click.Choice(["none", "tokens"]),
        default="none",
        show_default=True,
        help="Whether requests need a token. The first start with tokens creates one with every scope; heksherlite"
        " token create creates more. none is refused on an address that other machines can reach, unless --insecure"
        " is given.",
    ),
    click.option("--insecure", is_flag=True, help="Let everyone who can reach the service read and change everything."),
    click.option(
        "--trust-user-header",
        metavar="HEADER",
        help="The header in which a reverse proxy names the person who sends a request, such as X-Forwarded-Email. The"
        " history records that name; the token decides what the request may do. Requires --trusted-proxies.",
    ),
    click.option(
        "--trusted-proxies",
        metavar="CIDR",
        multiple=True,
        callback=_networks,
        help="The addresses of the reverse proxies whose headers are trusted: the one of --trust-user-header, and"
        " X-Forwarded-For, -Proto and -Host. For example 10.0.0.0/8 or 127.0.0.1. Repeat the option for several.",
    ),
    click.option(
        "--operator",
        "operators",
        metavar="PERSON",
        multiple=True,
        help="A person who may do everything on the service's pages without logging in, as --trust-user-header names"
        " them. * is everyone whom that header names. Repeat the option for several.",
    ),
    click.option(
        "--editor",
        "editors",
        metavar="PERSON",
        multiple=True,
        help="A person who may read, propose and write on the service's pages without logging in, like --operator.",
    ),
    click.option(
        "--viewer",
        "viewers",
        metavar="PERSON",
        multiple=True,
        help="A person who may read on the service's pages without logging in, like --operator.",
    ),
    click.option(
        "--person-prefix",
        "setting_prefixes",
        metavar="PERSON PREFIX",
        nargs=2,
        multiple=True,
        help="Limit an editor or viewer to settings whose names begin with PREFIX. Repeat the option for several.",
    ),
    click.option(
        "--session-lifetime",
        metavar="SECONDS",
        type=click.IntRange(min=1),
        default=_ACCESS.session_lifetime,
        show_default=True,
        help="How long a person remains logged in on the service's pages at most, in seconds.",
    ),
    click.option(
        "--session-idle-timeout",
        metavar="SECONDS",
        type=click.IntRange(min=1),
        default=_ACCESS.session_idle_timeout,
        show_default=True,
        help="After how long without a request a person is logged out, in seconds.",
    ),
    *OPTIONS,
    click.option(
        "--client-codes/--no-client-codes",
        default=False,
        show_default=True,
        help="Whether to accept device codes that applications choose themselves, as old clients do. Whoever sees such"
        " a code can collect the token.",
    ),
    click.option(
        "--strict-declarations/--no-strict-declarations",
        default=None,
        help="Whether a token with the scope declare alone only upgrades settings that it declared first, or that"
        " heksherlite declarer added it to. By default with --auth tokens on a database that was created by this or a"
        " later version.",
    ),
    _limit("max_body_size", "The largest body of a request, in bytes."),
    _limit("max_value_size", "The largest JSON of one value, default value, type, name or metadata, in bytes."),
    _limit("max_settings", "The largest number of settings."),
    _limit("max_rules", "The largest number of rules, of all settings together."),
    _limit("max_operations", "The largest number of operations in one change."),
    _limit("max_changes_size", "The largest body of a request with operations, in bytes."),
    _limit(
        "max_import_size",
        "The largest export that is imported over HTTP, in bytes. It takes as much space for temporary files.",
    ),
    _limit("request_timeout", "The time for a request to arrive, and the time to respond, each in seconds."),
    _limit(
        "writes_per_second",
        "The rate at which each token, or each address without tokens, may write and declare. Bursts of up to ten"
        " seconds' worth are allowed.",
    ),
    _limit(
        "max_reads_per_client",
        "The largest number of reads of each token, or of each address without tokens, at the same time.",
    ),
    _limit(
        "max_streams_per_client",
        "The largest number of streams of each token, or of each address without tokens. Three quarters of all"
        " streams that the process has room for are the most.",
    ),
    _limit(
        "history_bytes_per_second",
        "The rate at which the changes of each token, or of each address without tokens, may add to the history."
        " 64 seconds' worth may come at once.",
    ),
)

_PLAIN_OPTIONS = (
    "auth",
    "insecure",
    "session_lifetime",
    "session_idle_timeout",
    "client_codes",
    "strict_declarations",
)
"""The options that are attributes of `AccessOptions` as they are."""


def access_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command, which gets an `AccessOptions` as ``access`` and `Limits` as ``limits``."""

    @wraps(command)
    def run(
        *,
        trust_user_header: str | None,
        trusted_proxies: tuple[Network, ...],
        operators: tuple[str, ...],
        editors: tuple[str, ...],
        viewers: tuple[str, ...],
        setting_prefixes: tuple[tuple[str, str], ...],
        **others: Any,
    ) -> None:
        identity_provider = pop_identity_provider(others)
        if (operators or editors or viewers) and trust_user_header is None:
            option = "--operator" if operators else "--editor" if editors else "--viewer"
            raise click.UsageError(f"{option} requires --trust-user-header, the header that names the person.")
        if trust_user_header is not None and not trusted_proxies:
            raise click.UsageError(
                "--trust-user-header requires --trusted-proxies; otherwise any client could send the header."
            )
        try:
            access = AccessOptions(
                trust_user_header=trust_user_header,
                trusted_proxies=trusted_proxies,
                operators=frozenset(operators),
                editors=frozenset(editors),
                viewers=frozenset(viewers),
                setting_prefixes=dict(setting_prefixes),
                identity_provider=identity_provider,
                **{name: others.pop(name) for name in _PLAIN_OPTIONS},
            )
        except ValueError as error:
            raise click.UsageError(f"{error}.") from error
        limits = Limits(**{limit.name: others.pop(limit.name) for limit in fields(Limits)})
        command(access=access, limits=limits, **others)

    decorated: Callable[..., None] = run
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated
