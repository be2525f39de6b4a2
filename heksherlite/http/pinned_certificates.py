"""Certificates that are known by their fingerprint, such as those that a server has signed itself."""

import re
import ssl
from hashlib import sha256
from hmac import compare_digest
from typing import Final
from urllib.parse import urlsplit

from heksherlite.http.daemon_threads import run_in_daemon_thread

_SHAPE: Final = re.compile(r"(?:sha-?256[ :=]*(?:fingerprint=)?)?((?:[0-9a-f]{2}:?){31}[0-9a-f]{2})", re.IGNORECASE)


class WrongCertificateError(Exception):
    """A server has another certificate than the one with the fingerprint."""


def parse_fingerprint(text: str) -> bytes:
    """Return the SHA-256 of a certificate from its fingerprint.

    Args:
        text: 64 hexadecimal digits, with or without colons, as ``openssl x509 -noout -fingerprint -sha256`` prints
            them.

    Raises:
        ValueError: The text is something else.
    """
    match = _SHAPE.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"{text[:100]!r} is not the SHA-256 fingerprint of a certificate: expected 64 hexadecimal digits, as"
            " openssl x509 -noout -fingerprint -sha256 prints them"
        )
    return bytes.fromhex(match[1].replace(":", ""))


async def fetch_certificate(url: str, fingerprint: bytes, timeout: float) -> bytes:  # noqa: ASYNC109 - of the socket
    """Return the certificate of a server if it has the fingerprint. Nothing but a handshake is sent.

    Args:
        url: An HTTPS URL of the server.
        fingerprint: The SHA-256 of the certificate.
        timeout: The time limit for the handshake, in seconds.

    Returns:
        The certificate, in DER.

    Raises:
        OSError: There is no connection, or no handshake.
        ValueError: The URL has no valid host and port.
        WrongCertificateError: The server has another certificate.
    """
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or 443)
    certificate = ssl.PEM_cert_to_DER_cert(await run_in_daemon_thread(_certificate_at, address, timeout))
    if not compare_digest(sha256(certificate).digest(), fingerprint):
        found, expected = sha256(certificate).digest().hex(":"), fingerprint.hex(":")
        raise WrongCertificateError(f"the certificate has the fingerprint {found}, not {expected}")
    return certificate


def context_that_trusts(certificate: bytes) -> ssl.SSLContext:
    """Return a context that accepts servers with this certificate under any host name.

    It accepts no others, except for those whose certificates were signed with the key of this one.

    Args:
        certificate: The certificate, in DER.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the certificate says who it is
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # also if an authority signed it
    context.load_verify_locations(cadata=certificate)
    return context


def _certificate_at(address: tuple[str, int], timeout: float) -> str:
    return ssl.get_server_certificate(address, timeout=timeout)
