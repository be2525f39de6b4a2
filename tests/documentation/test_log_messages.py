"""The page of log messages lists exactly the messages of the package."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

from tests.documentation.pages import DOCS
from tests.documentation.sources import nodes

LEVELS = {
    "debug": "DEBUG",
    "info": "INFO",
    "warning": "WARNING",
    "error": "ERROR",
    "exception": "ERROR",
    "critical": "CRITICAL",
}

INDIRECT = {"clients/outage.py", "engine/engine.py", "engine/updates.py"}
"""Modules that log a message which another line names. It is looked for among all strings of the package."""


class Logged(NamedTuple):
    """A call of a logger. The message is None if it does not stand in the call."""

    module: str
    level: str | None
    message: str | None


def documented() -> dict[str, str]:
    """Return the level of each message of the page."""
    page = DOCS.joinpath("reference", "log-messages.md").read_text("utf-8")
    return dict(re.findall(r"^\| `(.+?)` \| ([A-Z]+) \|", page, re.MULTILINE))


def test_every_message_is_documented() -> None:
    """Each message is listed with its level. Details and repetitions at DEBUG are not."""
    page = documented()
    for logged in log_calls():
        if logged.message is None:
            assert logged.module in INDIRECT, f"{logged.module} logs a message that does not stand in the call"
        else:
            line = _line(page, logged.message)
            assert line, f"docs/reference/log-messages.md has no line for {logged.message!r} of {logged.module}"
            assert logged.level in {None, page[line], "DEBUG"}, f"{logged.message!r} is logged at {logged.level}"


def test_every_documented_message_is_logged() -> None:
    """Each listed message exists."""
    strings = {text for _, found in nodes() for node in found if (text := _text(node)) is not None}
    for message in documented():
        assert any(map(_pattern(message).match, strings)), f"nothing logs {message!r}"


def test_messages_of_outages_are_documented() -> None:
    """The messages at the beginning and the end of an outage are listed."""
    page = documented()
    texts = [
        text
        for _, found in nodes()
        for node in found
        if isinstance(node, ast.Call) and _called(node).endswith("Outage")
        for argument in node.args
        if (text := _text(argument)) is not None
    ]
    assert texts
    assert all(_line(page, text) for text in texts), texts


def log_calls() -> Iterator[Logged]:
    for module, found in nodes():
        for node in found:
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            method = node.func.attr
            if (method in LEVELS or method == "log") and ast.unparse(node.func.value).lower().endswith("logger"):
                message = node.args[1] if method == "log" else node.args[0]
                yield Logged(module, LEVELS.get(method), _text(message))


def _line(page: Iterable[str], message: str) -> str | None:
    """Return the documented message that this one is, or begins with, if it has details behind it."""
    return max((line for line in page if _pattern(line).match(message)), key=len, default=None)


@cache
def _pattern(line: str) -> re.Pattern[str]:
    """Return what matches a documented message, in which ``...`` stands for a detail."""
    text = ".+".join(map(re.escape, line.split("...")))
    return re.compile(rf"{text}(?:$|[:;,]| ?[(%])")


def _text(node: ast.AST) -> str | None:
    """Return a string that stands in the code; of an f-string, what is before the first field."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            return text
        case _:
            return None


def _called(call: ast.Call) -> str:
    """Return the name of what is called, without what it belongs to."""
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""
