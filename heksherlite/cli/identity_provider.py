"""The options of ``heksherlite serve`` with which people log in at an OpenID Connect identity provider."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import click

from heksherlite.http.urls import http_url, is_loopback
from heksherlite.names import SETTING_NAME
from heksherlite.secret import Secret
from heksherlite.service.domain.identity_providers import IdentityProvider
from heksherlite.service.domain.tokens import Access, Scope

_ALL: Final = "all"
_DEFAULTS: Final = IdentityProvider(issuer="", client_id="")


def _issuer(_context: click.Context, _parameter: click.Parameter, issuer: str | None) -> str | None:
    if issuer is None:
        return None
    if find_spec("authlib") is None or find_spec("joserfc") is None:
        raise click.BadParameter("OpenID Connect is not installed: pip install 'heksherlite[oidc]'")
    try:
        http_url(issuer)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if issuer.startswith("http:") and not is_loopback(issuer):
        raise click.BadParameter(f"expected an https:// URL, not {issuer!r}; only on this machine, http:// is accepted")
    return issuer


def _groups(
    _context: click.Context, _parameter: click.Parameter, pairs: Sequence[tuple[str, str]]
) -> Mapping[str, frozenset[Scope]]:
    groups = {}
    for group, names in pairs:
        scopes = list(Scope) if names == _ALL else names.split(",")
        if unknown := [scope for scope in scopes if scope not in list(Scope)]:
            raise click.BadParameter(
                f"{unknown[0]!r} is not a scope; expected {_ALL!r}, or some of {', '.join(Scope)}, separated by commas"
            )
        groups[group] = frozenset(map(Scope, scopes))
    return groups


def _prefixes(
    _context: click.Context, _parameter: click.Parameter, pairs: Sequence[tuple[str, str]]
) -> Mapping[str, str]:
    for _, prefix in pairs:
        if SETTING_NAME.fullmatch(prefix) is None:
            raise click.BadParameter(f"the name of a setting cannot begin with {prefix!r}")
    return dict(pairs)


OPTIONS: Final = (
    click.option(
        "--oidc-issuer",
        metavar="URL",
        callback=_issuer,
        help="The OpenID Connect identity provider at which people log in on the service's pages, such as"
        " https://login.example.com. Requires heksherlite[oidc].",
    ),
    click.option("--oidc-client-id", metavar="ID", help="The id with which the service is registered there."),
    click.option(
        "--oidc-client-secret-file",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="The file with the secret of the service there. Without it, the service is a public client.",
    ),
    click.option(
        "--oidc-group",
        "oidc_groups",
        metavar="GROUP SCOPES",
        nargs=2,
        multiple=True,
        callback=_groups,
        help="What members of a group of the identity provider may do: scopes separated by commas, or all. The first"
        " group of which a person is a member decides. * is everybody. Repeat the option for several.",
    ),
    click.option(
        "--oidc-group-prefix",
        "oidc_group_prefixes",
        metavar="GROUP PREFIX",
        nargs=2,
        multiple=True,
        callback=_prefixes,
        help="Limit the members of a group of --oidc-group to settings whose names begin with PREFIX. Repeat the"
        " option for several.",
    ),
    click.option(
        "--oidc-name-claim",
        metavar="CLAIM",
        default=_DEFAULTS.name_claim,
        show_default=True,
        help="The claim that names a person in the history.",
    ),
    click.option(
        "--oidc-groups-claim",
        metavar="CLAIM",
        default=_DEFAULTS.groups_claim,
        show_default=True,
        help="The claim with the groups of a person.",
    ),
    click.option(
        "--oidc-scope",
        "oidc_scopes",
        metavar="SCOPE",
        multiple=True,
        default=_DEFAULTS.scopes,
        show_default=True,
        help="What to request from the identity provider in addition to openid. Repeat the option for several.",
    ),
)


def pop_identity_provider(options: dict[str, Any]) -> IdentityProvider | None:
    """Remove the options of the identity provider from those of a command, and return it, or None if there is none.

    Raises:
        click.UsageError: The options contradict each other.
    """
    issuer, client_id = options.pop("oidc_issuer"), options.pop("oidc_client_id")
    secret_file: Path | None = options.pop("oidc_client_secret_file")
    groups: Mapping[str, frozenset[Scope]] = options.pop("oidc_groups")
    prefixes: Mapping[str, str] = options.pop("oidc_group_prefixes")
    name_claim, groups_claim = options.pop("oidc_name_claim"), options.pop("oidc_groups_claim")
    scopes: tuple[str, ...] = options.pop("oidc_scopes")
    if issuer is None:
        if client_id is not None or secret_file is not None or groups or prefixes:
            raise click.UsageError("The options --oidc-... require --oidc-issuer.")
        return None
    if client_id is None:
        raise click.UsageError("--oidc-issuer requires --oidc-client-id.")
    if not groups:
        raise click.UsageError("--oidc-issuer requires --oidc-group; otherwise nobody could log in.")
    if unknown := sorted(prefixes.keys() - groups):
        raise click.UsageError(f"--oidc-group-prefix {unknown[0]} requires --oidc-group {unknown[0]}.")
    return IdentityProvider(
        issuer=issuer,
        client_id=client_id,
        client_secret=None if secret_file is None else Secret(_read_secret(secret_file)),
        groups={group: Access(granted, prefixes.get(group, "")) for group, granted in groups.items()},
        name_claim=name_claim,
        groups_claim=groups_claim,
        scopes=scopes,
    )


def _read_secret(path: Path) -> str:
    try:
        secret = path.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise click.UsageError(f"--oidc-client-secret-file: {path} cannot be read: {error}") from error
    if not secret:
        raise click.UsageError(f"--oidc-client-secret-file: {path} is empty.")
    return secret
