"""statsig-python-core with its configuration from a store in memory: one rule per user in a dynamic config."""

import json
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from benchmarks.peers.subject import DEFAULT, FLAG, Get, measure


def specification(values: Mapping[str, int]) -> str:
    """Return what the service of this package would return."""
    conditions = {
        f"is-{user}": {
            "type": "user_field",
            "field": "userID",
            "operator": "any",
            "targetValue": [user],
            "additionalValues": {},
            "idType": "userID",
        }
        for user in values
    }
    rules = [
        {
            "name": user,
            "id": user,
            "salt": user,
            "passPercentage": 100,
            "returnValue": {"value": value},
            "conditions": [f"is-{user}"],
            "idType": "userID",
        }
        for user, value in values.items()
    ]
    config = {
        "type": "dynamic_config",
        "entity": "dynamic_config",
        "salt": "salt",
        "enabled": True,
        "idType": "userID",
        "defaultValue": {"value": DEFAULT},
        "rules": rules,
    }
    return json.dumps(
        {
            "feature_gates": {},
            "dynamic_configs": {FLAG: config},
            "layer_configs": {},
            "condition_map": conditions,
            "experiment_to_layer": {},
            "has_updates": True,
            "time": 1,
        }
    )


def prepare(values: Mapping[str, int]) -> Get:
    """Set up a client that connects to nothing and logs nothing."""
    core = import_module("statsig_python_core")
    response = core.DataStoreResponse(result=specification(values), time=1)

    def respond_with_specification(_store: Any, key: str) -> Any:
        del key
        return response

    store_class = type("Store", (core.DataStore,), {"get": respond_with_specification})
    options = core.StatsigOptions(data_store=store_class(), disable_network=True, disable_all_logging=True)
    client = core.Statsig(f"secret-{len(values)}", options)
    client.initialize().wait()

    def get(user: str) -> object:
        return client.get_dynamic_config(core.StatsigUser(user_id=user), FLAG).value.get("value", -1)

    return get


if __name__ == "__main__":
    measure("statsig-python-core", prepare)
