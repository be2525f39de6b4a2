"""growthbook with its features given as they are: one rule per user, which forces the value."""

from collections.abc import Mapping
from importlib import import_module

from benchmarks.peers.subject import DEFAULT, FLAG, Get, measure


def prepare(values: Mapping[str, int]) -> Get:
    """Set up one instance, whose attributes change with each call, which is the quickest way to use it."""
    rules = [{"condition": {"id": user}, "force": value} for user, value in values.items()]
    growthbook = import_module("growthbook").GrowthBook(features={FLAG: {"defaultValue": DEFAULT, "rules": rules}})

    def get(user: str) -> object:
        growthbook.set_attributes({"id": user})
        return growthbook.get_feature_value(FLAG, -1)

    return get


if __name__ == "__main__":
    measure("growthbook", prepare)
