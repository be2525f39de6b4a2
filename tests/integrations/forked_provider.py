"""Resolves a flag in a forked child until its value is 2: ``forked_provider.py URL``."""

import os
import sys
import time

from openfeature import api
from openfeature.evaluation_context import EvaluationContext

from heksherlite.integrations.openfeature import HeksherProvider

JOHN = EvaluationContext(attributes={"user": "john"})


def main() -> None:
    """Fork, and end as the child does."""
    api.set_provider_and_wait(HeksherProvider(url=sys.argv[1], update_interval=0.2))
    client = api.get_client()
    child = os.fork()
    if child:
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    print(client.get_integer_value("limit", 0, JOHN), flush=True)  # noqa: T201 - the test reads it
    while client.get_integer_value("limit", 0, JOHN) != 2:
        time.sleep(0.01)
    print(2, flush=True)  # noqa: T201 - the test reads it
    os._exit(0)


if __name__ == "__main__":
    main()
