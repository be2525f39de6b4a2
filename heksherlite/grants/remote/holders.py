"""The application whose credentials a remote grant uses, and how it gets new ones when they end. No I/O."""

from collections.abc import Callable
from dataclasses import dataclass

from heksherlite.grants.expiry import CredentialExpiry
from heksherlite.grants.remote.messages import Endpoint
from heksherlite.http.urls import shown_url


@dataclass(frozen=True, slots=True)
class Holder:
    """The application whose credentials a grant uses.

    Args:
        name: Its identifier, or the kind of the grant, for messages.
        remedy: Returns what somebody has to do when the credentials end, or are replaced. ``None`` if the grant gets
            new ones by itself.
        renews: Whether a demand returns the current token at any time, without a person and without using anything up.
    """

    name: str
    remedy: Callable[[str, Endpoint], str] | None = None
    renews: bool = False

    def remedy_at(self, endpoint: Endpoint) -> str | None:
        """Return what somebody has to do, or ``None`` for nothing."""
        return None if self.remedy is None else self.remedy(self.name, endpoint)

    def expiry(self, endpoint: Endpoint, at: float) -> CredentialExpiry:
        """Return the end of the credentials, for warnings and the status."""
        return CredentialExpiry(at, f"{self.name} at {shown_url(endpoint.base_url)}", self.remedy_at(endpoint))


def give_it_the_new_token(_: str, __: Endpoint) -> str:
    """Return the remedy of a grant that has its token from the program."""
    return "give the program its new token, the claim_token that 'heksherlite app rotate' prints"


def keep_the_new_token(identifier: str, endpoint: Endpoint) -> str:
    """Return the remedy of a grant that has a one-time token from the program."""
    return (
        f"run '{_login(identifier, endpoint)}' where the program runs, and enter the claim_token that "
        "'heksherlite app rotate' prints; or invite the program again, and give it the new one-time token"
    )


def approve_again(identifier: str, endpoint: Endpoint) -> str:
    """Return the remedy of a grant that a person approves."""
    return (
        f"run '{_login(identifier, endpoint)}' where the program runs, and enter the claim_token that "
        "'heksherlite app rotate' prints; or start the program again afterwards, so that a person approves it"
    )


def replace_the_registered(_: str, __: Endpoint) -> str:
    """Return the remedy of a grant of a public application."""
    return (
        "run 'heksherlite app rotate', or 'heksherlite app expire' with a later time, for this public application; "
        "the program gets the new token by itself"
    )


def _login(identifier: str, endpoint: Endpoint) -> str:
    url = shown_url(endpoint.base_url).rstrip("/").removesuffix("/f")
    return f"heksherlite login {url} --identifier {identifier} --claim-token"
