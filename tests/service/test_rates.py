"""Rate limits."""

from hypothesis import given
from hypothesis import strategies as st

from heksherlite.service.domain.rates import RateLimiter


@given(
    st.floats(0.1, 100),
    st.integers(1, 20),
    st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 10)), max_size=100),
)
def test_no_more_than_the_rate(per_second: float, burst: int, steps: list[tuple[str, float]]) -> None:
    """In any period, each client gets at most the burst and the rate, regardless of other clients."""
    limiter = RateLimiter(per_second=per_second, burst=burst)
    now = 1000.0
    granted: dict[str, list[float]] = {"a": [], "b": []}
    for key, pause in steps:
        now += pause
        wait = limiter.take(key, now)
        if not wait:
            granted[key].append(now)
        else:
            assert limiter.take(key, now) == wait
            now += wait * 1.000001
            assert not limiter.take(key, now)
            granted[key].append(now)
    for times in granted.values():
        for first in range(len(times)):
            for last in range(first, len(times)):
                assert last - first + 1 <= burst + (times[last] - times[first]) * per_second + 1e-3


def test_many_clients_are_forgotten_from_the_oldest() -> None:
    """The number of remembered clients is limited. The oldest are removed first."""
    limiter = RateLimiter(per_second=1, burst=1)
    for number in range(30_000):
        assert limiter.take(f"client {number}", 0) == 0
    assert len(limiter._buckets) == 10_000
    assert limiter.take("client 29999", 0) == 1
    assert limiter.take("client 0", 0) == 0
