"""Code that type checkers reject: every line has an ignored error."""
# ruff: noqa: B018, PGH003 - which error it is differs between the checkers

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import assert_type

from heksherlite import AsyncHeksherClient, Setting, ThreadHeksherClient


class Theme(Enum):
    DARK = "dark"


@dataclass(frozen=True)
class Limits:
    attempts: int = 3


Setting("x", int, ["user"], "1")  # type: ignore # pyright: ignore
Setting("x", int, ["user"], None)  # type: ignore # pyright: ignore
Setting("x", str, ["user"], 1)  # type: ignore # pyright: ignore
Setting("x", bool, ["user"], "true")  # type: ignore # pyright: ignore
Setting("x", Theme, ["user"], "dark")  # type: ignore # pyright: ignore
Setting("x", Sequence[int], ["user"], 1)  # type: ignore # pyright: ignore
Setting("x", Mapping[str, int], ["user"], [1])  # type: ignore # pyright: ignore
Setting("x", int, ["user"])  # type: ignore # pyright: ignore
Setting("x", int, [1], 1)  # type: ignore # pyright: ignore
Setting("x", int, ["user"], 1, version=1.0)  # type: ignore # pyright: ignore
Setting("x", int, ["user"], 1, unknown=1)  # type: ignore # pyright: ignore
Setting(5, int, ["user"], 1)  # type: ignore # pyright: ignore
assert_type(Setting("x", int, ["user"], 1).get(), str)  # type: ignore # pyright: ignore
word: str = Setting("x", int, ["user"], 1).get()  # type: ignore # pyright: ignore
Setting("x", Theme, ["user"], Theme.DARK).get().missing  # type: ignore # pyright: ignore
AsyncHeksherClient("http://host", "5", ["user"])  # type: ignore # pyright: ignore
AsyncHeksherClient("http://host", 5)  # type: ignore # pyright: ignore
ThreadHeksherClient("http://host", 5, ["user"]).set_defaults(user=5)  # type: ignore # pyright: ignore
ThreadHeksherClient("http://host", 5, ["user"]).track_contexts(user=5)  # type: ignore # pyright: ignore
Setting("x", Limits, ["user"], 5)  # type: ignore # pyright: ignore
Setting("x", Limits, ["user"], None)  # type: ignore # pyright: ignore
Setting("x", timedelta, ["user"], 5)  # type: ignore # pyright: ignore
Setting("x", Limits, ["user"], Limits()).get().missing  # type: ignore # pyright: ignore
