"""How many wrong device codes may be tried."""

from heksherlite.service.domain.guesses import Guesses


def digest(number: int) -> bytes:
    return str(number).encode()


def test_five_a_minute_from_an_address() -> None:
    """A sixth one has to wait until the first is a minute old; other addresses need not."""
    guesses = Guesses()
    for number in range(5):
        assert guesses.wait("a", digest(number), number) == 0
        guesses.wrong("a", digest(number), number)
    assert guesses.wait("a", digest(5), 10) == 50
    assert guesses.wait("b", digest(5), 10) == 0
    assert guesses.wait("a", digest(5), 60) == 0


def test_the_same_code_again_is_no_new_guess() -> None:
    """A program that asks again and again until its page is opened does not use guesses up."""
    guesses = Guesses()
    for second in range(1_000):
        assert guesses.wait("a", digest(0), second) == 0
        guesses.wrong("a", digest(0), second)
    assert guesses.wait("a", digest(1), 1_000) == 0
    assert not guesses.exhausted(1_000, 1_000)


def test_fifty_in_all_since_a_code_was_made() -> None:
    """Guesses from many addresses add up, and those from before the code was made do not count."""
    guesses = Guesses()
    for number in range(50):
        assert not guesses.exhausted(100, 100 + number)
        guesses.wrong(f"address {number}", digest(number), 100 + number)
    assert guesses.exhausted(50, 150)
    assert not guesses.exhausted(49, 150)


def test_addresses_are_not_remembered_without_end() -> None:
    """Whoever has very many addresses fills no memory."""
    guesses = Guesses()
    for number in range(10_001):
        guesses.wrong(f"address {number}", digest(0), 0)
    assert len(guesses._by_address) == 10_000
