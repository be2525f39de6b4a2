"""Headers of a reverse proxy are only used if the proxy is trusted."""

from collections.abc import Iterable
from ipaddress import ip_network
from typing import Any

import pytest

from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.api.identity import Identity
from heksherlite.service.api.proxy_headers import ProxyHeaders
from heksherlite.service.domain.tokens import Scope, new_token
from heksherlite.service.options import AccessOptions

TRUSTING = AccessOptions(
    trust_user_header="X-Forwarded-Email",
    trusted_proxies=(ip_network("10.0.0.0/8"), ip_network("::1/128"), ip_network("127.0.0.1")),
)


def request(peer: str | None, *headers: tuple[str, str | bytes]) -> dict[str, Any]:
    encoded = [(name.lower().encode(), value.encode() if isinstance(value, str) else value) for name, value in headers]
    return {"client": None if peer is None else (peer, 1234), "headers": encoded}


@pytest.mark.parametrize("peer", ["10.1.2.3", "::1", "127.0.0.1", "::ffff:10.1.2.3"])
def test_a_trusted_proxy_names_the_person(peer: str) -> None:
    """The header of a trusted proxy identifies the person."""
    assert (
        ProxyHeaders(TRUSTING).person(request(peer, ("X-Forwarded-Email", " jane@example.com "))) == "jane@example.com"
    )


@pytest.mark.parametrize("peer", ["11.1.2.3", "192.168.0.1", "::2", "fe80::1%eth0", "nonsense", "", None])
def test_headers_of_untrusted_addresses_are_ignored(peer: str | None) -> None:
    """Headers from other addresses are ignored, X-Forwarded-For included."""
    headers = [("X-Forwarded-Email", "jane@example.com"), ("X-Forwarded-For", "10.0.0.1")]
    origins = ProxyHeaders(TRUSTING)
    assert origins.person(request(peer, *headers)) is None
    assert origins.address(request(peer, *headers)) == (peer or "")


def test_without_the_option_no_header_is_looked_at() -> None:
    """By default, the headers are ignored."""
    headers = [("X-Forwarded-Email", "jane@example.com"), ("X-Forwarded-For", "1.2.3.4"), ("", "jane")]
    assert ProxyHeaders(AccessOptions()).person(request("127.0.0.1", *headers)) is None
    assert ProxyHeaders(AccessOptions()).address(request("127.0.0.1", *headers)) == "127.0.0.1"


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Forwarded-Email", "mallory"), ("X-Forwarded-Email", "jane")],
        [("X-Forwarded-Email", "jane"), ("x-forwarded-email", "jane")],
        [("X-Forwarded-Email", "a" * 321)],
        [("X-Forwarded-Email", "jane\x00")],
        [("X-Forwarded-Email", "jane\u202e")],
    ],
)
def test_malformed_names_are_refused(headers: Iterable[tuple[str, str]]) -> None:
    """Several names, or a malformed one, are an error."""
    with pytest.raises(AccessDeniedError) as caught:
        ProxyHeaders(TRUSTING).person(request("10.0.0.1", *headers))
    assert caught.value.status == 400
    assert "x-forwarded-email" in caught.value.detail


@pytest.mark.parametrize(
    ("value", "person"), [("", None), ("  ", None), ("Zoë".encode(), "Zoë"), ("Zoë".encode("latin-1"), "Zoë")]
)
def test_names_of_any_kind(value: str | bytes, person: str | None) -> None:
    """A name can have any letters. An empty name identifies nobody."""
    assert ProxyHeaders(TRUSTING).person(request("10.0.0.1", ("X-Forwarded-Email", value))) == person
    assert ProxyHeaders(TRUSTING).person(request("10.0.0.1")) is None


@pytest.mark.parametrize(
    ("hops", "address"),
    [
        ([], "10.0.0.1"),
        (["1.2.3.4"], "1.2.3.4"),
        (["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
        (["6.6.6.6, 1.2.3.4, 10.9.9.9"], "1.2.3.4"),
        (["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
        (["10.0.0.2,10.0.0.3"], "10.0.0.2"),
        (["nonsense"], "10.0.0.1"),
        (["1.2.3.4, nonsense, 10.0.0.2"], "10.0.0.2"),
        (["1.2.3.4:80"], "10.0.0.1"),
        (["::2"], "::2"),
        ([" , "], "10.0.0.1"),
    ],
)
def test_the_client_is_the_last_that_is_not_trusted(hops: list[str], address: str) -> None:
    """The client is the last untrusted address in X-Forwarded-For."""
    headers = [("X-Forwarded-For", hop) for hop in hops]
    assert ProxyHeaders(TRUSTING).address(request("10.0.0.1", *headers)) == address


def test_a_header_needs_trusted_proxies() -> None:
    """A header without trusted proxies, and a malformed header name, are errors."""
    with pytest.raises(ValueError, match="trust_user_header requires trusted_proxies"):
        AccessOptions(trust_user_header="X-Forwarded-Email")
    with pytest.raises(ValueError, match="is not a valid header name"):
        AccessOptions(trust_user_header="X Forwarded", trusted_proxies=TRUSTING.trusted_proxies)


def test_precedence_of_identities() -> None:
    """A person takes precedence over a token, and a token over an anonymous client."""
    _, token = new_token("deployer", [Scope.READ], now=0, setting_prefix="backend.")
    identities = [Identity(), Identity(token), Identity(token, "jane"), Identity(None, "jane")]
    assert [(identity.kind, identity.name, identity.setting_prefix) for identity in identities] == [
        ("anonymous", None, ""),
        ("token", "deployer", "backend."),
        ("person", "jane", "backend."),
        ("person", "jane", ""),
    ]
