"""Whatever goes wrong, the pages say it in their own words, and not in those of the API."""

from collections.abc import Iterator

import pytest

from tests.console.mistakes import OF_THE_API, Mistakes
from tests.console.staff import Staff

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def staff(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staff]:
    with Staff(f"sqlite:///{tmp_path_factory.mktemp('wording')}/a.db") as staff:
        yield staff


@pytest.mark.parametrize("name", ["viewer", "proposer", "administrator", "operator", "author", "limited-editor"])
def test_nobody_reads_the_words_of_the_api(staff: Staff, name: str) -> None:
    """Neither who fills in a field wrongly, nor who does what they may not."""
    with staff.browser(name) as browser:
        mistakes = Mistakes(staff, browser)
        mistakes.make_all()
        mistakes.trespass()
        assert len(mistakes.said) > 1
        assert {text: how for text, how in mistakes.said.items() if OF_THE_API.search(text)} == {}
