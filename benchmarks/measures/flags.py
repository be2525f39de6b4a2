"""What OpenFeature's provider takes, against the SDK's provider in memory, and what telemetry adds to `get`."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagResolutionDetails
from openfeature.provider import FeatureProvider
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

from benchmarks.data import rules_per_user, user_name
from benchmarks.measures.get import NAME, REPEATED, loaded
from benchmarks.measures.program import set_apart
from benchmarks.results import Row, write_rows
from benchmarks.sizes import SIZES, Size
from benchmarks.timing import Loop, per_call, repeated
from heksherlite import Setting, ThreadHeksherClient
from heksherlite.clients.clock import now
from heksherlite.clients.observed_lookup import observing
from heksherlite.engine.all_settings import Flags
from heksherlite.flags import Flag, ServedRule
from heksherlite.integrations.openfeature import HeksherProvider
from heksherlite.rules import RuleBatch, RuleSetBuilder
from heksherlite.values.wire_types import INT

DEFAULT = 60


def in_memory(values: Mapping[str, int]) -> InMemoryProvider:
    """Return the SDK's provider with a flag of one variant per user, which its evaluator looks up."""

    def evaluate(flag: InMemoryFlag[int], context: EvaluationContext) -> FlagResolutionDetails[int]:
        variant = context.targeting_key if context.targeting_key in flag.variants else "default"
        return FlagResolutionDetails(value=flag.variants[variant or ""], variant=variant)

    return InMemoryProvider({NAME: InMemoryFlag("default", {"default": DEFAULT, **values}, context_evaluator=evaluate)})


def ours(values: Mapping[str, int]) -> HeksherProvider:
    """Return our provider with a rule per user, as after an update."""
    builder: RuleSetBuilder[ServedRule] = RuleSetBuilder(["user"])
    served = [ServedRule(number, value) for number, value in enumerate(values.values(), 1)]
    builder.add(RuleBatch([rule.id for rule in served], ["user"], [list(values)], served))
    provider = HeksherProvider(ThreadHeksherClient("http://localhost", 1000, ["user"]), targeting_key_feature="user")
    flag = Flag(NAME, INT, "1.0", builder.build(["user"]), DEFAULT, "default")
    provider._all_settings.flags.replace(Flags(MappingProxyType({NAME: flag}), 1))
    provider._client._health.succeeded(now(), datetime.now(UTC), '"1-0"')
    return provider


def client_of(domain: str, provider: FeatureProvider) -> OpenFeatureClient:
    """Return a client of the SDK with a provider that needs no initialization."""
    provider.initialize = lambda _: None  # type: ignore[method-assign,assignment]
    api.set_provider_and_wait(provider, domain)
    return api.get_client(domain)


def provider_row(count: int, size: Size) -> Row:
    """Measure the evaluation of a flag with so many rules."""
    values = {user_name(number): number % 1000 for number in range(count)}
    subjects: dict[str, Any] = {
        "floor": client_of(f"memory-{count}", in_memory(values)),
        "ours": client_of(f"heksherlite-{count}", ours(values)),
    }
    users = [user_name(number) for number in range(min(count, REPEATED))]
    for subject in subjects.values():
        assert [subject.get_integer_value(NAME, -1, EvaluationContext(user)) for user in users] == [*values.values()][
            : len(users)
        ]
    call = f"subject.get_integer_value({NAME!r}, -1, Context(user))"
    loops = {name: Loop(call, subject=subject, Context=EvaluationContext) for name, subject in subjects.items()}
    samples = per_call(loops, repeated(users, max(1, size.calls // 100), size.repeats))
    return Row("flags", f"provider, {count:,} rules", "ns", samples["ours"], samples["floor"], 3)


def telemetry_row(size: Size) -> Row:
    """Measure `get` of a setting whose contexts were reported already, against the same without telemetry."""
    setting = loaded(rules_per_user(REPEATED))
    users = [user_name(number) for number in range(REPEATED)]
    observed = copy_of(setting)
    observed._serve(observing(lambda _lookup, _read: None, every_read=False)(setting._lookup))
    call = "subject.get(user=user)"
    loops = {"floor": Loop(call, subject=setting), "ours": Loop(call, subject=observed)}
    samples = per_call(loops, repeated(users, size.calls, size.repeats))
    return Row("flags", "get, observed and not sampled", "ns", samples["ours"], samples["floor"], 1.1)


def copy_of(setting: Setting[int]) -> Setting[int]:
    """Return another setting of the same shape."""
    return Setting(f"{setting.name}.observed", int, setting.configurable_features, setting.default_value)


def main() -> None:
    """Measure, and write the rows."""
    size = SIZES[sys.argv[1]]
    set_apart()
    write_rows([provider_row(1, size), provider_row(size.rules, size), telemetry_row(size)])


if __name__ == "__main__":
    main()
