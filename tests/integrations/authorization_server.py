"""An OpenID Connect provider that insists on PKCE, and a person who logs in."""

import threading
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
from werkzeug.serving import make_server

from heksherlite.integrations.oauth2 import OAuth2Login


class AuthorizationServer:
    """Refuses codes whose verifier does not fit the challenge of the login.

    Attributes:
        url: Its URL.
        forms: The forms that its token endpoint received.
    """

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # authlib's modules warn of their own future
            import oidc_provider_mock  # type: ignore[import-untyped] # noqa: PLC0415

            self._app = oidc_provider_mock.app(user_claims=[oidc_provider_mock.User(sub="john")]).wsgi_app
        self._challenges: dict[str, str] = {}
        self.forms: list[dict[str, str]] = []
        self.url = ""

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        path = environ["PATH_INFO"]
        result: Iterable[bytes]
        if path.endswith("/authorize") and query.get("code_challenge_method") != "S256":
            return self._refuse(start_response, "the login has no PKCE challenge")
        if path.endswith("/authorize"):

            def remember(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
                location = dict(headers).get("Location", "")
                answer = parse_qs(urlsplit(location).query)
                if "code" in answer:
                    self._challenges[answer["code"][0]] = query["code_challenge"]
                if "error" in answer and "state" not in answer:  # which the standard demands
                    headers = [*dict(headers, Location=f"{location}&{urlencode({'state': query['state']})}").items()]
                return start_response(status, headers, *rest)

            result = self._app(environ, remember)
            return result
        if path.endswith("/token"):
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            form = dict(parse_qsl(body.decode()))
            self.forms.append(form)
            verifier = form.get("code_verifier", "").encode()
            challenge = urlsafe_b64encode(sha256(verifier).digest()).decode().rstrip("=")
            if "code" in form and self._challenges.pop(form["code"], None) != challenge:
                return self._refuse(start_response, "the code verifier is wrong")
            environ["wsgi.input"] = BytesIO(body)
        result = self._app(environ, start_response)
        return result

    def _refuse(self, start_response: Callable[..., Any], reason: str) -> Iterable[bytes]:
        start_response("400 Bad Request", [("Content-Type", "application/json")])
        return [f'{{"error": "invalid_grant", "error_description": "{reason}"}}'.encode()]


@contextmanager
def authorization_server() -> Iterator[AuthorizationServer]:
    """Run a server."""
    app = AuthorizationServer()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = make_server("localhost", 0, app, threaded=True)
    app.url = f"http://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield app
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Person:
    """Logs in, or denies, in a thread as a browser does.

    Attributes:
        logins: What the person was told.
        pages: The texts of the last pages that were displayed.
    """

    def __init__(self, *, denies: bool = False) -> None:
        self.logins: list[OAuth2Login] = []
        self.pages: list[str] = []
        self._answer = {"action": "deny"} if denies else {"sub": "john"}
        self._threads: list[threading.Thread] = []

    def tell(self, login: OAuth2Login) -> None:
        self.logins.append(login)
        thread = threading.Thread(target=self._log_in, args=(login.page,))
        self._threads.append(thread)
        thread.start()

    def _log_in(self, page: str) -> None:
        with httpx.Client(timeout=60) as http:
            assert http.get(page).status_code == 200
            location = http.post(page, data=self._answer).headers["location"]
            # A page of another origin that guesses the port does not know the state.
            foreign = http.get(location.partition("?")[0], params={"code": "stolen", "state": "guessed"})
            assert foreign.status_code == 400
            assert http.get(location.replace("/callback", "/other")).status_code == 404
            self.pages.append(http.get(location).text)

    def join(self) -> None:
        """Wait until the person is done."""
        for thread in self._threads:
            thread.join()
