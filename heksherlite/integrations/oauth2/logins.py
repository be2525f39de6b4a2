"""What a person is told who has to log in."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from heksherlite.grants.remote.browser import open_page


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2Login:
    """What a person needs to log in for a program.

    Attributes:
        client_id: The client ID of the program.
        page: The URL of the page to open.
        code: The code that the page displays or asks for, or ``None``.
        timeout: The time limit, in seconds.
    """

    client_id: str
    page: str = field(repr=False)
    code: str | None = field(repr=False)
    timeout: float


def print_instructions(login: OAuth2Login) -> None:
    """Print the instructions on the standard error stream."""
    code = "" if login.code is None else f" The code is {login.code}."
    sys.stderr.write(
        f"To log in for {login.client_id}, open\n\n    {login.page}\n\nwithin {login.timeout:g} seconds.{code}\n"
    )


@dataclass(frozen=True, slots=True)
class LoginOptions:
    """How a person logs in.

    Attributes:
        tell: Called with an :class:`OAuth2Login` to instruct the person.
        open_browser: Whether to open the page in a browser.
        timeout: The time limit, in seconds.
    """

    tell: Callable[[OAuth2Login], object]
    open_browser: bool
    timeout: float

    def begin(self, client_id: str, page: str, code: str | None) -> None:
        """Show the page to the person."""
        self.tell(OAuth2Login(client_id=client_id, page=page, code=code, timeout=self.timeout))
        if self.open_browser:
            open_page(page)
