"""Stores for the tokens that endpoints grant, so that a program that starts again needs no new one."""

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from heksherlite.atomic_file import read_private_file, write_private_file
from heksherlite.errors import FaktsError
from heksherlite.secret import Secret

_FORMAT: Final = "heksherlite-token"
_VERSION: Final = 1
_MAX_SIZE: Final = 2**16


@runtime_checkable
class TokenStore(Protocol):
    """Keeps tokens by endpoint and application. Its methods may block: grants call them in worker threads.

    An exception that a method raises is logged, and the grant goes on without the store.
    """

    def get(self, endpoint: str, identifier: str) -> Secret | None:
        """Return the token of an application, or ``None`` if there is none.

        Args:
            endpoint: The URL at which the endpoint accepts the token.
            identifier: The identifier of the application.
        """
        ...

    def set(self, endpoint: str, identifier: str, token: Secret) -> None:
        """Keep a token instead of the one before."""
        ...

    def delete(self, endpoint: str, identifier: str) -> None:
        """Delete the token of an application, if there is one."""
        ...


class FileTokenStore:
    """Tokens in files that only the user can read: one for each endpoint and application, with mode 0600.

    Args:
        directory: The directory. It is created with mode 0700 if it does not exist. The default is
            ``heksherlite/applications`` in ``$XDG_STATE_HOME`` or ``~/.local/state``.
    """

    def __init__(self, directory: str | os.PathLike[str] | None = None) -> None:
        self._directory = None if directory is None else Path(directory).absolute()

    @property
    def directory(self) -> Path:
        """The directory."""
        return self._directory or state_directory()

    def get(self, endpoint: str, identifier: str) -> Secret | None:
        """Return the token of an application, or ``None`` if there is none.

        Raises:
            OSError: If the file cannot be read.
            ValueError: If other users can read or write the file, or it is malformed.
        """
        path = self._path(endpoint, identifier)
        try:
            content = read_private_file(path, _MAX_SIZE)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise type(error)(f"{path}: {error}") from None
        token = _decode(content)
        if token is None:
            raise ValueError(f"{path}: it is not a token of heksherlite")
        return token

    def set(self, endpoint: str, identifier: str, token: Secret) -> None:
        """Keep a token instead of the one before.

        Raises:
            OSError: If the file cannot be written.
        """
        path = self._path(endpoint, identifier)
        make_private_directory(path.parent)
        members = {"endpoint": endpoint, "identifier": identifier, "token": token.reveal()}
        write_private_file(path, [json.dumps({"format": _FORMAT, "version": _VERSION, **members}).encode()])

    def delete(self, endpoint: str, identifier: str) -> None:
        """Delete the token of an application, if there is one.

        Raises:
            OSError: If the file cannot be deleted.
        """
        self._path(endpoint, identifier).unlink(missing_ok=True)

    def _path(self, endpoint: str, identifier: str) -> Path:
        return self.directory / f"{digest(endpoint, identifier)}.token"

    def __repr__(self) -> str:
        return f"FileTokenStore({'' if self._directory is None else repr(str(self._directory))})"


class KeyringTokenStore:
    """Tokens in the keyring of the operating system. Requires ``heksherlite[keyring]``.

    Args:
        service: The name under which the keyring lists the tokens.
    """

    def __init__(self, service: str = "heksherlite") -> None:
        self._service = service

    def get(self, endpoint: str, identifier: str) -> Secret | None:
        """Return the token of an application, or ``None`` if there is none.

        Raises:
            FaktsError: If the package keyring is not installed.
            keyring.errors.KeyringError: If there is no keyring, or it cannot be opened.
        """
        token = _keyring().get_password(self._service, f"{identifier} {endpoint}")
        return None if token is None else Secret(token)

    def set(self, endpoint: str, identifier: str, token: Secret) -> None:
        """Keep a token instead of the one before. Raises what :meth:`get` raises."""
        _keyring().set_password(self._service, f"{identifier} {endpoint}", token.reveal())

    def delete(self, endpoint: str, identifier: str) -> None:
        """Delete the token of an application, if there is one. Raises what :meth:`get` raises."""
        if self.get(endpoint, identifier) is not None:
            _keyring().delete_password(self._service, f"{identifier} {endpoint}")

    def __repr__(self) -> str:
        return f"KeyringTokenStore({self._service!r})"


def state_directory() -> Path:
    """Return the default directory for tokens.

    Raises:
        OSError: If the user has no home directory.
    """
    base = os.environ.get("XDG_STATE_HOME") or ""
    try:
        home = Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError:
        raise OSError("this user has no home directory; set XDG_STATE_HOME or pass a directory") from None
    return home / "heksherlite" / "applications"


def make_private_directory(directory: Path) -> None:
    """Create a directory that only the user can open, unless it exists.

    Raises:
        OSError: If it cannot be created.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    directory.mkdir(mode=0o700, exist_ok=True)


def digest(*texts: str) -> str:
    """Return a file name for texts."""
    return sha256("\n".join(texts).encode()).hexdigest()[:32]


def _decode(content: bytes) -> Secret | None:
    try:
        data: Any = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or data.get("format") != _FORMAT or data.get("version") != _VERSION:
        return None
    token = data.get("token")
    return Secret(token) if isinstance(token, str) and token else None


def _keyring() -> Any:
    try:
        import keyring  # noqa: PLC0415 - requires an extra
    except ModuleNotFoundError as error:
        if error.name != "keyring":
            raise
        message = "KeyringTokenStore requires keyring, which is not installed: pip install 'heksherlite[keyring]'"
        raise FaktsError(message) from None
    return keyring
