"""Comparison of the results of four programs, two with the original SDK and two with ours."""

# ruff: noqa: T201 - it prints what it finds
import json
import sys
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from tests.interop.conversation import Worker
from tests.interop.definition import resolve
from tests.interop.scenario import CONTEXT_FILTERS, FEATURES, TRACKED, Declared

_PROGRAM = Path(__file__).with_name("program.py")
_COLORS = {"red": "RED", "green": "GREEN", 3: "NUMBER"}
_ACCESS = {"READ": 1, "WRITE": 2, "RUN": 4}

Contexts = Sequence[tuple[str, dict[str, str]]]


class Comparison:
    """Counts equal results, and records differences.

    Args:
        original: The interpreter that has the original SDK.
        url: The service.
        three_features: Settings in which the original is known to break ties in another way than the definition.
    """

    def __init__(self, original: Path, url: str, *, three_features: Collection[str]) -> None:
        self.commands: dict[str, list[str | Path]] = {
            "original async": [original, _PROGRAM, "heksher", "async"],
            "our thread": [sys.executable, _PROGRAM, "heksherlite", "thread"],
            "original thread": [original, _PROGRAM, "heksher", "thread"],
            "our async": [sys.executable, _PROGRAM, "heksherlite", "async"],
        }
        self._url = url
        self._began = time.monotonic()
        self._three_features = three_features
        self._counts: Counter[str] = Counter()
        self._disagreements: list[str] = []

    def begin(self, title: str) -> None:
        """Print the title of the next comparisons."""
        print(f"{time.monotonic() - self._began:5.1f} s  {title}", flush=True)

    def check(self, what: str, *, agree: bool, details: object) -> None:
        """Count one comparison."""
        self._counts[what] += 1
        if not agree:
            self._disagreements.append(f"{what}: {details}")

    def values(self, programs: "Programs", contexts: Contexts, *, undefined: Collection[str] = ()) -> None:
        """Read settings in full contexts, and compare with the definition where there is one."""
        defined = self._definition(programs, contexts, undefined)
        self._compare(contexts, programs.ask("get", contexts=contexts), defined)

    def defaulted_values(self, programs: "Programs", contexts: Contexts, *, constants: Mapping[str, str]) -> None:
        """Read settings in contexts without the features that have client defaults."""
        short = [(name, {f: v for f, v in context.items() if f not in constants}) for name, context in contexts]
        full = [(name, context | {f: v for f, v in constants.items() if f in context}) for name, context in contexts]
        self._compare(short, programs.ask("get", contexts=short), self._definition(programs, full, ()))

    def refusals(self, programs: "Programs", contexts: Contexts) -> None:
        """Read settings with an unknown context feature, and with a missing one."""
        for programs_responses in programs.ask("get", contexts=[(name, {**c, "planet": "x"}) for name, c in contexts]):
            for response in programs_responses:
                self.check("unknown features refused", agree=response == {"error": "ValueError"}, details=response)
        short = [(name, {f: v for f, v in c.items() if f != "user"}) for name, c in contexts if "user" in c]
        responses = dict(zip(self.commands, programs.ask("get", contexts=short), strict=True))
        for name, response in responses.items():
            for context, value in zip(short, response, strict=True):
                # The original returns a value where no rule happens to ask for the feature.
                agree = value == {"error": "RuntimeError"} or name.startswith("original")
                self.check("missing features refused", agree=agree, details=(name, context, value))

    def values_of_ours(self, programs: "Programs", contexts: Contexts, *, canonical: Mapping[str, str]) -> None:
        """Read settings by their earlier names in our programs, and compare with the definition."""
        defined = self._definition(programs, contexts, (), canonical)
        for responses in programs.ask("get", only="our", contexts=contexts):
            for context, response, right in zip(contexts, responses, defined, strict=True):
                self.check(
                    "values under an earlier name", agree=_same(response, right), details=(context, response, right)
                )

    def settings_lists(self, programs: "Programs") -> None:
        """Compare the results of get_settings. The original thread client always fails."""
        first, *others = programs.ask("all_settings", but="original thread")
        for other in others:
            for name in first.keys() | other.keys():
                pair = first.get(name), other.get(name)
                self.check("settings in get_settings", agree=_same(*pair), details=pair)

    def report(self) -> int:
        """Print a summary, and return the exit code."""
        for what, count in sorted(self._counts.items()):
            print(f"{count:7} {what}")
        for disagreement in self._disagreements[:20]:
            print("DISAGREEMENT", disagreement)
        print(f"{len(self._disagreements)} disagreements, {time.monotonic() - self._began:.1f} s")
        return 1 if self._disagreements else 0

    def _compare(self, contexts: Contexts, responses: Sequence[Sequence[Any]], defined: Sequence[Any]) -> None:
        for context, right, *values in zip(contexts, defined, *responses, strict=True):
            by_program = dict(zip(self.commands, values, strict=True))
            ours = [value for name, value in by_program.items() if name.startswith("our")]
            originals = [value for name, value in by_program.items() if name.startswith("original")]
            if right is not None:
                agree = all(_same(value, right) for value in ours)
                self.check("values of ours and of the definition", agree=agree, details=(context, by_program, right))
            agree = all(_same(value, ours[0]) for value in (*ours, *originals))
            if not agree and right is not None and context[0] in self._three_features and _same(*ours):
                self._counts["values where the original breaks a tie otherwise (its known fault)"] += 1
            else:
                self.check("values of the original and of ours", agree=agree, details=(context, by_program))

    def _definition(
        self,
        programs: "Programs",
        contexts: Contexts,
        undefined: Collection[str],
        canonical: Mapping[str, str] | None = None,
    ) -> list[Any]:
        response = httpx.get(f"{self._url}/api/v1/query", params={"context_filters": CONTEXT_FILTERS})
        queried = response.raise_for_status().json()["settings"]
        return [
            None
            if name in undefined
            else _encoded(programs.kinds[name], resolve(queried[(canonical or {}).get(name, name)], FEATURES, context))
            for name, context in contexts
        ]


class Programs:
    """Four running programs of one release."""

    def __init__(self, stack: ExitStack, comparison: Comparison, url: str) -> None:
        self._comparison = comparison
        self._url = url
        self._workers = [stack.enter_context(Worker(*command)) for command in comparison.commands.items()]
        self.kinds: dict[str, str] = {}

    def ask(self, what: str, *, only: str = "", but: str = "-", **arguments: Any) -> list[Any]:
        """Run a command concurrently in the programs with this prefix, and return the results."""
        workers = [w for w in self._workers if w.name.startswith(only) and not w.name.startswith(but)]
        for worker in workers:
            worker.tell(what, **arguments)
        return [worker.hear() for worker in workers]

    def close(self) -> None:
        """Close the clients, and wait until the programs end."""
        self.ask("close")
        for worker in self._workers:
            worker.leave()

    def start(self, settings: Sequence[Declared], *, declare_first: float, conflicts: int = 0) -> None:
        """Declare the settings, this part of them before the client becomes main and the others after.

        Each program begins with another setting, so that each has its turn to be the first to declare.
        """
        self.kinds = {setting.name: setting.kind for setting in settings}
        bodies: list[dict[str, Any]] = [{} for _ in self._workers]
        for number, worker in enumerate(self._workers):
            start = number * len(settings) // 4
            turned = [*settings[start:], *settings[:start]]
            count = int(len(turned) * declare_first)
            declarations = [setting.declaration() for setting in turned]
            made = worker.ask("declare", settings=declarations[:count])
            worker.ask(
                "start",
                url=self._url,
                features=FEATURES,
                track=TRACKED,
                constants={"environment": "dev"},
                variables=["theme"],
            )
            made += worker.ask("declare", settings=declarations[count:])
            bodies[number] = {body["name"]: body for body in made}
        for others in bodies[1:]:
            for name, body in bodies[0].items():
                self._comparison.check("declarations", agree=_same(body, others[name]), details=(body, others[name]))
        for worker, notes in zip(self._workers, self.ask("notes"), strict=True):
            seen = sum(level == "ERROR" for level, _ in notes["log"])
            details = (worker.name, notes["log"])
            self._comparison.check(
                "programs whose declarations went as expected", agree=seen == conflicts, details=details
            )

    def reload(self, settings: Sequence[Declared], *, changed: bool | None = None, only: str = "") -> None:
        """Load the rules, and compare the queries and the statuses of the responses."""
        statuses = self.ask("reload", only=only)
        if changed is not None:
            what = f"reloads that received {'something new (200, or ours 226)' if changed else 'nothing new (304)'}"
            for worker, status in zip(self._workers, statuses, strict=True):
                # Only our client asks for what changed, which our service marks by 226.
                new = (200, 226) if worker.name.startswith("our") else (200,)
                agree = status in new if changed else status == 304
                self._comparison.check(what, agree=agree, details=(worker.name, status))
        notes = self.ask("notes", only=only)
        queries = [[r[2] for r in note["requests"] if r[1] == "/api/v1/query"][-1] for note in notes]
        names = ",".join(sorted(setting.name for setting in settings))
        wanted = {"settings": names, "context_filters": CONTEXT_FILTERS, "include_metadata": "false"}
        for query in queries:
            self._comparison.check("queries", agree=dict(httpx.QueryParams(query)) == wanted, details=(query, wanted))


def _same(one: Any, other: Any) -> bool:
    return json.dumps(_as_float(one), sort_keys=True) == json.dumps(_as_float(other), sort_keys=True)


def _encoded(kind: str, value: Any) -> Any:
    """Return the expected result of a program for a value of the service."""
    match kind:
        case "color" | "old color":
            return {"member": _COLORS[value]}
        case "access" | "old access":
            return {"flags": sum(_ACCESS[name] for name in value)}
        case _:
            return _encoded_container(kind, value)


def _encoded_container(kind: str, value: Any) -> Any:
    if isinstance(value, list):
        inner = kind.removesuffix("s") if kind in ("colors", "old colors") else ""
        return {"sequence": [_encoded(inner, item) for item in value]}
    if isinstance(value, dict):
        inner = "access" if kind == "grants" else ""
        return {"mapping": {key: _encoded(inner, item) for key, item in value.items()}}
    return value


def _as_float(value: Any) -> Any:
    """Return JSON with its integers as floats: where the service sends 1 for a float, our client makes it 1.0."""
    if isinstance(value, dict):
        return {key: _as_float(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_float(item) for item in value]
    return float(value) if type(value) is int else value
