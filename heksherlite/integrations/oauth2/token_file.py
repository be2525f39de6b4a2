"""Tokens on disk, for later starts of the program."""

import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from authlib.oauth2.rfc6749 import OAuth2Token

from heksherlite.atomic_file import read_private_file, write_private_file

logger = logging.getLogger(__name__)

_FORMAT: Final = "heksherlite-oauth2-token"
_MAX_SIZE: Final = 2**20
"""The maximum size of a file in bytes."""


@dataclass(frozen=True, slots=True)
class TokenFile:
    """A file with a token, private to the user.

    Args:
        path: The path of the file.
    """

    path: Path

    def read(self, identity: dict[str, Any]) -> OAuth2Token | None:
        """Return the token for an identity, or None if there is none. Blocks."""
        try:
            data = json.loads(read_private_file(self.path, _MAX_SIZE))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
            extra = {"path": str(self.path), "reason": reason}
            logger.warning("stored token cannot be used: %s: %s", self.path, reason, extra=extra)
            return None
        if not isinstance(data, dict) or data.get("format") != _FORMAT or data.get("for") != identity:
            return None
        token = data.get("token")
        if not isinstance(token, dict) or not isinstance(token.get("access_token"), str):
            return None
        return OAuth2Token(token)

    def write(self, identity: dict[str, Any], token: OAuth2Token) -> None:
        """Replace the file. Blocks."""
        data = {"format": _FORMAT, "version": 1, "for": identity, "token": dict(token)}
        try:
            write_private_file(self.path, [json.dumps(data, indent=2).encode()])
        except OSError as error:
            reason = error.strerror or str(error)
            extra = {"path": str(self.path), "reason": reason}
            logger.warning("token cannot be stored: %s: %s", self.path, reason, extra=extra)


def token_file(path: str | os.PathLike[str] | None) -> TokenFile | None:
    """Return the file at a path. It stays the same if the program changes its working directory."""
    return None if path is None else TokenFile(Path(path).absolute())
