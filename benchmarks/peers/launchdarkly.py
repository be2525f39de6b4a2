"""launchdarkly-server-sdk with its test data source: one variation per value, each with its user as target."""

from collections.abc import Mapping
from importlib import import_module

from benchmarks.peers.subject import DEFAULT, FLAG, Get, measure


def prepare(values: Mapping[str, int]) -> Get:
    """Set up a flag, and a client that connects to nothing."""
    ldclient = import_module("ldclient")
    data = import_module("ldclient.integrations.test_data").TestData.data_source()
    flag = data.flag(FLAG).variations(DEFAULT, *values.values()).fallthrough_variation(0).on(True)
    for variation, user in enumerate(values, start=1):
        flag.variation_for_user(user, variation)
    data.update(flag)
    config = ldclient.config.Config("no-key", update_processor_class=data, send_events=False)
    client = ldclient.LDClient(config=config)

    def get(user: str) -> object:
        return client.variation(FLAG, ldclient.Context.create(user), -1)

    return get


if __name__ == "__main__":
    measure("launchdarkly-server-sdk", prepare)
