"""The tokens of a database, which the command line writes and running services notice."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from heksherlite.service.domain.access import signing_keys, tokens
from heksherlite.service.domain.authors import Cause
from heksherlite.service.domain.tokens import Scope, Token, new_token
from heksherlite.service.storage.access import AccessStore

FIRST_TOKEN_SECONDS: Final = 24 * 3600
"""How long the first token is valid."""


async def add_token(access: AccessStore, token: Token, cause: Cause) -> None:
    """Store a new token.

    Args:
        access: The access state in the database.
        token: The token.
        cause: Who creates it, and why.

    Raises:
        ValueError: Another token has the same name.
        DatabaseUnavailableError: The database cannot be used.
    """
    await access.write(partial(tokens.add, token=token), cause)


async def add_first_token(access: AccessStore, *, now: float) -> str | None:
    """Store a token named ``admin`` with all scopes if there is no token at all.

    It expires after a day, because it passes through a terminal or a file. It is for creating other tokens.

    Returns:
        The token, or None if there is one already.

    Raises:
        DatabaseUnavailableError: The database cannot be used.
    """
    text, token = new_token("admin", Scope, now=now, expires_at=int(now) + FIRST_TOKEN_SECONDS)
    return text if await access.write(partial(tokens.add_first, token=token)) else None


async def remove_token(access: AccessStore, name: str, cause: Cause) -> bool:
    """Remove a token; return whether it existed.

    Args:
        access: The access state in the database.
        name: The name or public prefix of the token.
        cause: Who removes it, and why.

    Raises:
        DatabaseUnavailableError: The database cannot be used.
    """
    return await access.write(partial(tokens.remove, name=name), cause)


async def list_tokens(access: AccessStore) -> Sequence[Token]:
    """Return all tokens, the oldest first.

    Raises:
        DatabaseUnavailableError: The database cannot be used.
    """
    uses = await access.token_uses.all()
    known = (await access.read()).tokens
    return [replace(token, last_used_at=uses.get(token.public_prefix)) for token in known.values()]


async def rotate_signing_key(access: AccessStore, cause: Cause, *, at_once: bool, now: float) -> None:
    """Sign with a new key from now on.

    Args:
        access: The access state in the database.
        cause: Who rotates it, and why.
        at_once: Whether to refuse what the previous key signed at once.
        now: The time, in seconds since the epoch.

    Raises:
        DatabaseUnavailableError: The database cannot be used.
    """
    await access.write(partial(signing_keys.rotate, key=secrets.token_hex(32), at_once=at_once, now=now), cause)
