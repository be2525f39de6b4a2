"""An OpenID Connect identity provider in a process of its own, which insists on PKCE and on the client's secret.

The process runs ``python -m tests.service.identity_provider PORT``, and is ``oidc-provider-mock`` with what that lacks.
"""

import socket
import subprocess
import sys
import threading
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx

CLIENT_ID = "heksherlite"
CLIENT_SECRET = "a secret: with/odd characters"  # noqa: S105 - of the test's provider
BOB = "bob@example.com"
PEOPLE = {
    "alice@example.com": {"email": "alice@example.com", "email_verified": True, "groups": ["staff", "admins"]},
    BOB: {"email": BOB, "groups": ["staff", "shop"]},
    "mallory@example.com": {"email": "alice@example.com", "email_verified": False, "groups": ["admins"]},
    "eve@example.com": {"email": "eve@example.com", "groups": "guests"},
    "nobody": {"groups": ["admins"]},
}


class Provider:
    """A running provider.

    Attributes:
        issuer: Its URL.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.issuer = f"http://localhost:{port}"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.service.identity_provider", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate(timeout=60)
            self._process = None

    def log_in(self, url: str, person: str) -> str:
        """Log in at the page to which the service led, and return where the provider leads back."""
        with httpx.Client() as http:
            assert http.get(url).status_code == 200
            response = http.post(url, data={"sub": person})
        assert response.status_code in {302, 303}, response.text
        return response.headers["location"]

    def deny(self, url: str) -> str:
        return str(httpx.post(url, data={"action": "deny"}).headers["location"])


@contextmanager
def running() -> Iterator[Provider]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    provider = Provider(port)
    provider.start()
    try:
        yield provider
    finally:
        provider.stop()


class RequirePkce:
    """Refuses codes whose verifier does not fit the challenge of the login, and clients with a wrong secret."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self._challenges: dict[str, str] = {}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        path = environ["PATH_INFO"]
        if path.endswith("/authorize"):
            if query.get("code_challenge_method") != "S256" or not query.get("nonce"):
                return self._refuse(start_response, "the login has no PKCE challenge or no nonce")

            def remember(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
                code = parse_qs(urlsplit(dict(headers).get("Location", "")).query).get("code")
                if code:
                    self._challenges[code[0]] = query["code_challenge"]
                return start_response(status, headers, *rest)

            return self._app(environ, remember)
        if path.endswith("/token"):
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            form = dict(parse_qsl(body.decode()))
            challenge = urlsafe_b64encode(sha256(form.get("code_verifier", "").encode()).digest()).decode().rstrip("=")
            if self._challenges.pop(form["code"], None) != challenge:
                return self._refuse(start_response, "the code verifier is wrong")
            sent = b64decode(environ.get("HTTP_AUTHORIZATION", "").removeprefix("Basic ")).decode()
            if sent != urlencode({CLIENT_ID: CLIENT_SECRET}).replace("=", ":"):
                return self._refuse(start_response, "the client secret is wrong")
            environ["wsgi.input"] = BytesIO(body)
        return self._app(environ, start_response)

    def _refuse(self, start_response: Callable[..., Any], reason: str) -> Iterable[bytes]:
        start_response("400 Bad Request", [("Content-Type", "application/json")])
        return [f'{{"error": "invalid_grant", "error_description": "{reason}"}}'.encode()]


def main() -> None:
    import oidc_provider_mock  # type: ignore[import-untyped] # noqa: PLC0415 - it warns when it is imported
    from oidc_provider_mock import User  # noqa: PLC0415
    from werkzeug.serving import make_server  # noqa: PLC0415

    app = oidc_provider_mock.app(user_claims=[User(sub=sub, claims=claims) for sub, claims in PEOPLE.items()])
    server = make_server("localhost", int(sys.argv[1]), RequirePkce(app.wsgi_app), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
