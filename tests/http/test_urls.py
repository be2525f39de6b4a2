"""URLs of services, and the forms of URLs that are displayed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heksherlite.http.urls import shown_url, split_service_url, without_credentials


@pytest.mark.parametrize(
    ("text", "url", "credentials"),
    [
        ("http://host", "http://host", None),
        ("https://host:8443/below/", "https://host:8443/below/", None),
        ("http://[::1]:80", "http://[::1]:80", None),
        (" http://host\n", "http://host", None),
        ("http://joe:hunter2@host:80/x", "http://host:80/x", ("joe", "hunter2")),
        ("http://joe@host", "http://host", ("joe", "")),
        ("http://:hunter2@host", "http://host", ("", "hunter2")),
        ("http://j%40e:h%2Fnter%3A2@host", "http://host", ("j@e", "h/nter:2")),
        ("http://@host", "http://host", None),
    ],
)
def test_service_urls(text: str, url: str, credentials: tuple[str, str] | None) -> None:
    """Credentials are separated from the URL, and white space around it is ignored."""
    assert split_service_url(text) == (url, credentials)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("host:8888", "it has no scheme; write 'https://host:8888' or 'http://host:8888'"),
        ("joe:hunter2@host:8888", "it has no scheme; write 'https://host:8888' or 'http://host:8888'"),
        ("", "must be like 'http://host:port'"),
        ("ftp://joe:hunter2@host", "must be like 'http://host:port', not 'ftp://host'"),
        ("http://", "must be like 'http://host:port', not 'http:"),
        ("http://joe:hunter2/x@host", "is not a URL: 'http://host'"),
        ("http://joe:hunter2#x@host", "is not a URL: 'http://host'"),
        ("http://joe:hunter2?x@host", "is not a URL: 'http://host'"),
        ("http://joe:x/hunter2@host:port", "is not a URL: 'http://host:port'"),
        ("http://joe:hunter2@[::1", "is not a URL: 'http://[::1'"),
        ("http://joe:hunter2@", "must be like 'http://host:port'"),
        ("http://host:port", "is not a URL: 'http://host:port'"),
        ("http://host:99999", "is not a URL: 'http://host:99999'"),
        ("http://ho st", "contains white space or control characters"),
        ("http://host/\nhunter2", "contains white space or control characters"),
        ("http://host/?token=hunter2", "must not have a query or a fragment: write 'http://host/'"),
        ("http://host#hunter2", "must not have a query or a fragment: write 'http://host'"),
        ("http://host?", "must not have a query or a fragment: write 'http://host'"),
        (
            "http://joe:hunter2@host/x/api/v1/",
            "must not end in '/api/v1', which the client appends: write 'http://host/x'",
        ),
        ("http://host/api/v1", "must not end in '/api/v1', which the client appends: write 'http://host'"),
        ("http://host/api/", "must not end in '/api', which the client appends: write 'http://host'"),
    ],
)
def test_invalid_service_urls(text: str, problem: str) -> None:
    """The error names the problem and a correct URL, and contains no secret."""
    with pytest.raises(ValueError, match="service_url") as caught:
        split_service_url(text)
    assert problem in str(caught.value)
    if "/\n" not in text:
        assert "hunter2" not in str(caught.value)


@given(st.text(), st.text(alphabet="abc:/?#@%", min_size=8))
def test_arbitrary_service_urls(text: str, secret: str) -> None:
    """Any text is a URL without credentials, or a ValueError."""
    for candidate in (text, f"http://{text}", f"http://joe:{secret}@host/{text}"):
        try:
            url, _ = split_service_url(candidate)
        except ValueError:
            continue
        assert "@" not in url.split("/")[2]


def test_displayed_urls() -> None:
    """The displayed form has no credentials, query or fragment."""
    assert shown_url("http://joe:hunter2@host/path?token=hunter2#hunter2") == "http://host/path"
    assert shown_url("joe:hunter2@host/path") == "host/path"
    assert shown_url("http://joe:12/hunter2@host/path") == "http://host/path"
    assert without_credentials("http://joe:hunter2@host/path?a=b") == "http://host/path?a=b"
