"""Limits in a dataclass: an operator changes an object, and the service refuses what would be wrong.

Needs ``pip install "heksherlite[models,service]"``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

import httpx
from annotated_types import Ge, Le, MinLen

from heksherlite import TRACK_ALL, Setting, ThreadHeksherClient
from heksherlite.service import embedded

FEATURES = ["environment", "user"]


@dataclass(frozen=True)
class Limits:
    """What a user may do."""

    requests: Annotated[int, Ge(1), Le(1000)] = 100
    per: timedelta = timedelta(minutes=1)
    hosts: Sequence[Annotated[str, MinLen(1)]] = ("example.com",)


limits = Setting("limits", Limits, FEATURES, default_value=Limits())


def show(user: str) -> None:
    """Print the limits of a user."""
    current = limits.get(environment="prod", user=user)
    print(f"{user}: {current.requests} requests per {current.per} to {', '.join(current.hosts)}")


def main() -> None:
    """Run a service, and change the limits of one user in it."""
    with embedded(context_features=FEATURES) as service, httpx.Client(base_url=service.url) as operator:
        client = ThreadHeksherClient(service.url, update_interval=60, context_features=FEATURES)
        client.track_contexts(environment=TRACK_ALL, user=TRACK_ALL)
        with client:
            show("john")
            rule = {"setting": "limits", "feature_values": {"user": "john"}}
            refused = operator.post("/api/v1/rules", json={**rule, "value": {"requests": 0, "hosts": [""]}})
            print(refused.status_code, refused.text)
            # What is left out has the default of the class: a duration in seconds is one minute.
            operator.post("/api/v1/rules", json={**rule, "value": {"requests": 500}}).raise_for_status()
            client.reload()
            show("john")
            show("jane")


if __name__ == "__main__":
    main()
