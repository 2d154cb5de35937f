"""For all tests of sandboxes."""

import pytest

from sandboxes.local import cell


@pytest.fixture(autouse=True)
def time_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a worker that hung up as long to end as a busy machine needs.

    One that ended by itself and is reaped after `LAST_WORDS_S` counts as one that hung up and lived on.
    """
    monkeypatch.setattr(cell, "LAST_WORDS_S", 30.0)
