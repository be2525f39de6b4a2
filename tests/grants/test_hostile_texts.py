"""Arbitrary texts in files and responses are either facts or an error of the package."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from heksherlite.grants.facts import find_problem
from heksherlite.grants.formats import parse_json, parse_toml, parse_yaml
from heksherlite.grants.parse_error import ParseError
from heksherlite.grants.remote.messages import (
    Endpoint,
    InvalidResponseError,
    read_config,
    read_endpoint,
    read_message,
    read_status,
    read_token,
)
from heksherlite.http.urls import http_url, printable, shown_url

PIECES = st.sampled_from(
    [
        *[
            "a",
            "b: ",
            "- ",
            "? ",
            "\n",
            "\n  ",
            "[",
            "]",
            "{",
            "}",
            ",",
            '"',
            "'",
            "|",
            ">",
            "%",
            "#",
            "---\n",
            "=",
            ".",
            "\t",
        ],
        *["&x ", "*x", "<<: ", "\\", "\x85", "null", "true", "1", "1e999", ".nan", "0x", "2026-13-45", "12:99:99"],
        *["!!python/object:os.x ", "!t ", "!!binary ", "!!set ", "!!int ", "!!timestamp ", "!!float ", "!!omap "],
        *["!!map ", "!!merge ", "!!bool ", "!!null ", "!!seq ", "!!pairs ", "!!str "],
    ]
)
TEXTS = st.lists(PIECES, max_size=25).map("".join) | st.text(max_size=60)
JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=8,
)
NAMES = ["name", "base_url", "claim_url", "retrieve_url", "status", "token", "config", "message"]


@pytest.mark.parametrize("parse", [parse_yaml, parse_toml, parse_json])
@settings(max_examples=3 * settings().max_examples)
@given(text=TEXTS)
@example(text="a: !!int x")
@example(text="a: !!timestamp x")
@example(text="a: !!float x")
@example(text="a: !!binary x")
@example(text="!!set {a, b}")
@example(text="{a: &x {b: *x}}")
@example(text="<<: 1")
@example(text="<<: [1]")
@example(text="a: 0b")
@example(text="a: 1" + "0" * 5000)
@example(text="a = 1" + "0" * 5000)
@example(text="!!merge x: {a: 1}")
@example(text="!!str 1: 2")
def test_parsers(parse: Callable[[str], Any], text: str) -> None:
    """Any text is either parsed or a ParseError."""
    try:
        facts = parse(text)
    except ParseError:
        return
    find_problem(facts)


@given(
    st.binary(max_size=40)
    | st.dictionaries(st.sampled_from(NAMES), JSON, max_size=5).map(lambda data: json.dumps(data).encode())
)
def test_bodies(content: bytes) -> None:
    """Any body is either read or an InvalidResponseError."""
    read_message(content)
    for read in (lambda: read_endpoint(content, "https://host/"), lambda: read_status(content)):
        with suppress(InvalidResponseError):
            assert read()


@given(st.dictionaries(st.sampled_from(NAMES), JSON, max_size=5))
def test_granted_responses(data: dict[str, Any]) -> None:
    """Any granted response is either read or an InvalidResponseError."""
    readers: list[Callable[[Any], Any]] = [read_token, read_config]
    for read in readers:
        with suppress(InvalidResponseError):
            assert read(data) is not None


@given(
    st.text(max_size=30) | st.text(max_size=20).map("http://".__add__) | st.text("[]:@/?#%1a ").map("https://".__add__)
)
def test_urls(text: str) -> None:
    """Any URL is either valid or rejected, and its displayed form has no control characters."""
    assert shown_url(text).isprintable()
    assert printable(text).isprintable()
    try:
        url = http_url(text)
    except ValueError:
        return
    assert Endpoint(name="x", base_url=url).base_url.endswith("/")
