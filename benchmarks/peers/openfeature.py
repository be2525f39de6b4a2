"""openfeature-sdk with its provider in memory, whose evaluation is the program's own: here one look-up in a dict."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from benchmarks.peers.subject import DEFAULT, FLAG, Get, measure


def prepare(values: Mapping[str, int]) -> Get:
    """Set up a flag of one variant per value."""
    api = import_module("openfeature.api")
    memory = import_module("openfeature.provider.in_memory_provider")
    context_class = import_module("openfeature.evaluation_context").EvaluationContext
    details_class = import_module("openfeature.flag_evaluation").FlagResolutionDetails

    def evaluate(flag: Any, context: Any) -> Any:
        variant = context.targeting_key if context.targeting_key in flag.variants else "default"
        return details_class(value=flag.variants[variant], variant=variant)

    flag = memory.InMemoryFlag("default", {"default": DEFAULT, **values}, context_evaluator=evaluate)
    api.set_provider(memory.InMemoryProvider({FLAG: flag}))
    client = api.get_client()

    def get(user: str) -> object:
        return client.get_integer_value(FLAG, -1, context_class(targeting_key=user))

    return get


if __name__ == "__main__":
    measure("openfeature-sdk", prepare)
