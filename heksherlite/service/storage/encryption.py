"""Encrypts the secrets in a database: those of groups, the tokens of public applications, and the signing keys.

The keys come from the environment, so that the service, its workers and the commands use the same. What is encrypted
begins with ``fernet:``; everything else was stored without a key.
"""

import os
import shlex
import subprocess  # nosec B404
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

from heksherlite.errors import ServiceStartError
from heksherlite.service.errors import DatabaseUnavailableError

KEY_VARIABLE: Final = "HEKSHERLITE_SECRETS_KEY"
KEY_FILE_VARIABLE: Final = "HEKSHERLITE_SECRETS_KEY_FILE"
KEY_COMMAND_VARIABLE: Final = "HEKSHERLITE_SECRETS_KEY_COMMAND"

_PREFIX: Final = "fernet:"
_COMMAND_SECONDS: Final = 30


class SecretCipher:
    """Encrypts and decrypts secrets.

    Args:
        keys: The keys: 32 bytes in base64 each. The first one encrypts, and all of them decrypt. Without keys, secrets
            are stored as they are.

    Attributes:
        has_key: Whether there is a key.

    Raises:
        ServiceStartError: A key is malformed, or the extra for encryption is not installed.
    """

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self.has_key = bool(keys)
        if not keys:
            return
        try:
            from cryptography.fernet import Fernet, InvalidToken, MultiFernet  # noqa: PLC0415  # requires an extra
        except ImportError as error:
            raise ServiceStartError(
                f"a secrets key needs the encryption extra: pip install 'heksherlite[encryption]' ({error})"
            ) from error
        self._invalid = InvalidToken
        try:
            self._fernet = MultiFernet([Fernet(key.replace("+", "-").replace("/", "_")) for key in keys])
        except ValueError as error:
            raise ServiceStartError(
                "a secrets key is malformed; expected 32 bytes in base64, such as openssl rand -base64 32 prints"
            ) from error

    def encrypt(self, secret: str) -> str:
        """Return a secret as it is stored."""
        return _PREFIX + self._fernet.encrypt(secret.encode()).decode() if self.has_key else secret

    def decrypt(self, stored: str) -> str:
        """Return a secret that was stored.

        Raises:
            DatabaseUnavailableError: The secret is encrypted with another key.
        """
        if not is_encrypted(stored):
            return stored
        if not self.has_key:
            raise DatabaseUnavailableError(
                f"the secrets in the database are encrypted; give their key by --secrets-key-file or {KEY_VARIABLE}"
            )
        try:
            return self._fernet.decrypt(stored.removeprefix(_PREFIX)).decode()
        except self._invalid as error:
            raise DatabaseUnavailableError(
                "the secrets in the database are encrypted with a key that is not among the secrets keys"
            ) from error


def is_encrypted(stored: str) -> bool:
    """Return whether a stored secret is encrypted."""
    return stored.startswith(_PREFIX)


def cipher_from_environment(environment: Mapping[str, str] = os.environ) -> SecretCipher:
    """Return the cipher with the keys that the environment names: by a variable, a file or a command.

    Raises:
        ServiceStartError: Several of them are given, or the keys cannot be read or are malformed.
    """
    given = [name for name in (KEY_VARIABLE, KEY_FILE_VARIABLE, KEY_COMMAND_VARIABLE) if environment.get(name)]
    if not given:
        return SecretCipher()
    if len(given) > 1:
        raise ServiceStartError(f"the secrets key is given more than once: by {' and '.join(given)}")
    source = environment[given[0]]
    if given == [KEY_FILE_VARIABLE]:
        text = _read_file(source)
    else:
        text = _run_command(source) if given == [KEY_COMMAND_VARIABLE] else source
    if not (keys := text.split()):
        raise ServiceStartError(f"{given[0]} gives no secrets key")
    return SecretCipher(keys)


def _read_file(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise ServiceStartError(f"the file with the secrets key cannot be read: {error}") from error


@lru_cache(maxsize=8)
def _run_command(command: str) -> str:
    try:
        # The operator of the service chooses the command.
        done = subprocess.run(  # noqa: S603  # nosec B603
            shlex.split(command), stdout=subprocess.PIPE, timeout=_COMMAND_SECONDS, check=True, text=True
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise ServiceStartError(f"the command for the secrets key failed: {error}") from error
    return done.stdout
