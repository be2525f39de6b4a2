"""When declarations that failed are sent again."""

from random import Random

from heksherlite import Setting
from heksherlite.engine.declaration_retries import DeclarationRetries
from heksherlite.engine.polling import Polling


def retries() -> DeclarationRetries:
    return DeclarationRetries(Polling(1.0, Random(0)))  # noqa: S311 - only spreads requests


def settings(*names: str) -> list[Setting[int]]:
    return [Setting(name, int, ["user"], 1) for name in names]


def test_declarations_are_due_at_first() -> None:
    """Pending settings are declared at once."""
    assert retries().is_due(settings("a"), 0)


def test_failed_declarations_wait() -> None:
    """Declarations that failed are due again after the time that the service asks for, and not before."""
    retry = retries()
    pending = settings("a", "b")
    retry.failed(pending, 100, 30)
    assert not retry.is_due(pending, 129)
    assert retry.is_due(pending, 160)


def test_a_new_setting_does_not_wait() -> None:
    """A setting that was not tried yet makes declarations due, also during the back-off."""
    retry = retries()
    pending = settings("a")
    retry.failed(pending, 100, 30)
    assert retry.is_due([*pending, *settings("b")], 101)


def test_a_success_ends_the_back_off() -> None:
    """After a success, declarations are due at once, and the next failure begins with a short pause."""
    retry = retries()
    pending = settings("a")
    for _ in range(20):
        retry.failed(pending, 0, None)
    retry.succeeded()
    assert retry.is_due(pending, 0)
    retry.failed(pending, 0, None)
    assert retry.is_due(pending, 2)
