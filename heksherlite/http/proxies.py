"""The proxies that httpx takes from the environment, for messages. No I/O."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from heksherlite.http.urls import shown_url


def proxy_of(url: str, http_client_args: Mapping[str, Any]) -> str | None:
    """Return the proxy of the environment through which a client sends requests to a URL, or ``None``.

    Args:
        url: The URL.
        http_client_args: The arguments of the client.

    Returns:
        The URL of the proxy, without credentials.
    """
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - only error messages need it

    given = ("transport", "mounts", "proxy")
    if not http_client_args.get("trust_env", True) or any(http_client_args.get(name) for name in given):
        return None
    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return shown_url(proxy) if proxy and not proxy_bypass(parts.hostname or "") else None
