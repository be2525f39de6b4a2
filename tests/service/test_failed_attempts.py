"""The limit on failed attempts to enter a device code."""

from heksherlite.service.domain.failed_attempts import FailedAttempts


def digest(number: int) -> bytes:
    return str(number).encode()


def test_five_a_minute_from_an_address() -> None:
    """A sixth attempt waits until the first is a minute old. Other addresses do not wait."""
    attempts = FailedAttempts()
    for number in range(5):
        assert attempts.retry_after("a", digest(number), number) == 0
        attempts.record("a", digest(number), number)
    assert attempts.retry_after("a", digest(5), 10) == 50
    assert attempts.retry_after("b", digest(5), 10) == 0
    assert attempts.retry_after("a", digest(5), 60) == 0


def test_the_same_code_again_is_not_a_new_attempt() -> None:
    """A program that polls the same code does not use up attempts."""
    attempts = FailedAttempts()
    for second in range(1_000):
        assert attempts.retry_after("a", digest(0), second) == 0
        attempts.record("a", digest(0), second)
    assert attempts.retry_after("a", digest(1), 1_000) == 0
    assert not attempts.exhausted(1_000, 1_000)


def test_fifty_in_all_since_a_code_was_made() -> None:
    """Attempts from all addresses are counted together. Attempts before the code was created do not count."""
    attempts = FailedAttempts()
    for number in range(50):
        assert not attempts.exhausted(100, 100 + number)
        attempts.record(f"address {number}", digest(number), 100 + number)
    assert attempts.exhausted(50, 150)
    assert not attempts.exhausted(49, 150)


def test_the_number_of_remembered_addresses_is_bounded() -> None:
    """A client with very many addresses cannot exhaust memory."""
    attempts = FailedAttempts()
    for number in range(10_001):
        attempts.record(f"address {number}", digest(0), 0)
    assert len(attempts._by_address) == 10_000
