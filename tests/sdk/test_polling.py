"""The times between polls."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from heksherlite.engine.polling import Polling

intervals = st.floats(1e-3, 1e6)
randoms = st.randoms(use_true_random=False)
failures = st.integers(1, 10_000)


class Highest(Random):
    """Chance that always ends at the upper end."""

    def uniform(self, a: float, b: float) -> float:
        return max(a, b)


class Lowest(Random):
    """Chance that always ends at the lower end."""

    def uniform(self, a: float, b: float) -> float:
        return min(a, b)


def longest(interval: float, failures: int) -> float:
    return Polling(interval, Highest()).after_failure(failures)


@given(intervals, randoms)
def test_a_tenth_of_jitter(interval: float, random: Random) -> None:
    """After a success, the next poll is an interval later, give or take a tenth."""
    assert interval * 0.9 <= Polling(interval, random).after_success() <= interval * 1.1


def test_clients_that_start_together_do_not_stay_together() -> None:
    """The jitter spreads polls over the whole fifth of an interval."""
    polling = Polling(100, Random(1))  # noqa: S311 - any numbers
    waits = [polling.after_success() for _ in range(1000)]
    assert min(waits) < 91
    assert max(waits) > 109


@given(intervals, randoms, failures)
def test_the_wait_after_failures_is_bounded(interval: float, random: Random, count: int) -> None:
    """After any number of failures, the wait is at most five minutes, or the interval if that is more."""
    assert 0 <= Polling(interval, random).after_failure(count) <= max(interval, 300)


@given(intervals, failures)
def test_the_bound_doubles(interval: float, count: int) -> None:
    """The bound starts at two seconds, or two intervals if that is less, and doubles until it is the longest."""
    assert longest(interval, 1) == min(2 * min(interval, 1), max(interval, 300))
    assert longest(interval, count + 1) == min(2 * longest(interval, count), max(interval, 300))


@given(intervals)
def test_it_gets_to_the_longest_wait(interval: float) -> None:
    """After many failures the bound is five minutes, or the interval if that is more."""
    assert longest(interval, 10_000) == max(interval, 300)


@given(intervals, failures)
def test_full_jitter(interval: float, count: int) -> None:
    """A failure may be followed by a poll at once, so that clients do not come back together."""
    assert Polling(interval, Lowest()).after_failure(count) == 0


@given(intervals, randoms, failures, st.floats(0, 1e12))
def test_retry_after_is_honoured_up_to_an_hour(interval: float, random: Random, count: int, retry_after: float) -> None:
    """What the service asks for is the least that it gets, but it cannot keep clients away for more than an hour."""
    wait = Polling(interval, random).after_failure(count, retry_after)
    assert wait >= min(retry_after, 3600)
    assert wait <= max(interval, 300, min(retry_after, 3600))


@given(intervals, randoms, failures)
def test_a_success_resets_the_back_off(interval: float, random: Random, count: int) -> None:
    """After a success, the interval applies again, and the next failure counts as the first."""
    polling = Polling(interval, random)
    polling.after_failure(count, 3600)
    assert polling.after_success() <= interval * 1.1
    assert polling.after_failure(1) <= 2 * min(interval, 1)
