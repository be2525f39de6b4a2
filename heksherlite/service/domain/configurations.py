"""The configuration that an application claims."""

import json
from collections.abc import Mapping, Sequence
from hmac import digest
from typing import Any

from heksherlite.service.domain.applications import Application
from heksherlite.service.domain.credentials import Credentials
from heksherlite.service.domain.groups import Group, filled_in, references
from heksherlite.service.domain.groups import secret_paths as groups_secret_paths


def configuration(
    application: Application,
    credentials: Credentials,
    *,
    base_url: str,
    context_features: Sequence[str],
    groups: Mapping[str, Group],
    secrets: Mapping[str, str],
) -> dict[str, dict[str, Any]]:
    """Return the groups of values that an application gets.

    The group ``heksher`` configures a settings client, and the group ``oauth2`` configures an OAuth2 client. The
    attached groups follow. The keys of an attached group with one of these two names are added, and replace equal keys.

    Args:
        application: The application.
        credentials: Its credentials.
        base_url: The URL of the service, without a slash at the end.
        context_features: The context features of the service, in order.
        groups: The configuration groups by name.
        secrets: The secrets that the groups refer to, by name.
    """
    built: dict[str, dict[str, Any]] = {
        "heksher": _of_settings(application, credentials, base_url, context_features),
        "oauth2": {
            "base_url": f"{base_url}/o/",
            "token_url": f"{base_url}/o/token",
            "client_id": application.id,
            "client_secret": credentials.client_secret,
            "scopes": sorted(application.approval.scopes),
        },
    }
    for name in application.approval.groups:
        if name in groups:
            built[name] = {**built.get(name, {}), **filled_in(groups[name].values, secrets)}
    return built


def secret_paths(application: Application, groups: Mapping[str, Group]) -> list[tuple[str, ...]]:
    """Return the keys that lead to the secret values in the configuration of an application."""
    attached = [groups[name] for name in application.approval.groups if name in groups]
    in_groups = [(group.name, *keys) for group in attached for keys in groups_secret_paths(group.values)]
    return [("heksher", "token"), ("oauth2", "client_secret"), *in_groups]


def version(configured: Mapping[str, Any], claim_token: str, expires_at: int | None) -> str:
    """Return a text that differs if a configuration or the end of its credentials differs, and does not tell either."""
    content = [configured, expires_at]
    return digest(claim_token.encode(), json.dumps(content, sort_keys=True).encode(), "sha256").hex()[:32]


def claimed(application: Application, groups: Mapping[str, Group]) -> dict[str, list[str]]:
    """Return which groups and secrets the configuration of an application contains, for the audit record."""
    attached = [groups[name] for name in application.approval.groups if name in groups]
    secrets = {secret for group in attached for secret in references(group.values)}
    return {"groups": [group.name for group in attached], "secrets": sorted(secrets)}


def _of_settings(
    application: Application, credentials: Credentials, base_url: str, context_features: Sequence[str]
) -> dict[str, Any]:
    approval = application.approval
    defaults = {feature: approval.defaults[feature] for feature in context_features if feature in approval.defaults}
    return {
        "service_url": base_url,
        "context_features": list(context_features),
        "defaults": defaults,
        "track": {
            feature: approval.track.get(feature) or _tracked_default(defaults.get(feature))
            for feature in context_features
        },
        "token": credentials.settings_token,
    }


def _tracked_default(default: str | None) -> str | list[str]:
    return "*" if default is None else [default]
