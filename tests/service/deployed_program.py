"""A program in three versions, whose limits are an object. It prints what it reads whenever it is asked to."""

import json
import sys
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from annotated_types import Ge

from heksherlite import TRACK_ALL, Setting, ThreadHeksherClient


@dataclass(frozen=True)
class FirstLimits:
    """The limits of version 1.0."""

    attempts: int = 3


@dataclass(frozen=True)
class WiderLimits:
    """The limits of version 1.1, with one more field."""

    attempts: int = 3
    host: str = "a"


@dataclass(frozen=True)
class NarrowerLimits:
    """The limits of version 1.2, which allow less."""

    attempts: Annotated[int, Ge(2)] = 3
    host: str = "a"


VERSIONS: dict[str, Any] = {"1.0": FirstLimits, "1.1": WiderLimits, "1.2": NarrowerLimits}


def main(url: str, version: str) -> None:
    """Run a version of the program, and print one line of JSON for each line of the input."""
    limits = VERSIONS[version]
    setting = Setting("limits", limits, ["user"], limits(), version=version)
    client = ThreadHeksherClient(url, 1000, ["user"], push=False)
    client.track_contexts(user=TRACK_ALL)
    with client:
        for line in sys.stdin:
            client.reload()
            problems = [[each.setting, each.reason] for each in client.status.problems]
            read = {"value": asdict(setting.get(user=line.strip())), "state": client.status.state, "problems": problems}
            sys.stdout.write(json.dumps(read) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
