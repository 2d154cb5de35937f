"""What a lint sees, and what it says about itself."""

import pytest

from tests.tune.agents.in_process import TREND
from tune.agents.lint import NOTICE, lint


def test_honest_source_is_clean() -> None:
    assert lint(TREND) == ()
    assert lint("import numpy as np\nchance = np.random.default_rng(7)\nfrom math import log") == ()


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("import os", "import"),
        ("import numpy, socket", "import"),
        ("from subprocess import run", "import"),
        ("from . import other", "import"),
        ("open('x')", "io"),
        ("exec('x')", "io"),
        ("np.load('x')", "io"),
        ("pl.read_csv('x')", "io"),
        ("frame.write_csv('x')", "io"),
        ("np.random.rand(3)", "randomness"),
        ("np.random.default_rng()", "randomness"),
        ("random.random()", "randomness"),
        ("datetime.now()", "clock"),
        ("datetime.date.today()", "clock"),
    ],
)
def test_what_fails_or_differs_is_found_at_its_line(line: str, rule: str) -> None:
    (found,) = lint(f"LOOKBACK = 1\n{line}\n")

    assert (found.line, found.rule) == (2, rule)


def test_notice_says_that_it_is_no_security() -> None:
    assert "not security" in NOTICE
