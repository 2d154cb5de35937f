import ast
from pathlib import Path

import pytest

from trading.refusals import RefusalCode

TRADING = Path(__file__).parents[2] / "trading"


@pytest.mark.parametrize("code", list(RefusalCode))
def test_every_code_has_a_meaning_of_one_sentence(code: RefusalCode) -> None:
    meaning = code.meaning
    assert meaning[0].isupper()
    assert meaning.endswith(".")
    assert "\n" not in meaning


def test_no_two_codes_mean_the_same() -> None:
    meanings = [code.meaning for code in RefusalCode]
    assert len(set(meanings)) == len(meanings)


@pytest.mark.parametrize("code", list(RefusalCode))
def test_code_is_its_own_name_so_that_journals_stay_readable(code: RefusalCode) -> None:
    assert code.value == code.name == str(code)


def test_every_code_is_given_by_some_rule() -> None:
    used = {
        node.attr
        for path in TRADING.rglob("*.py")
        if path.name != "refusals.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "RefusalCode"
    }
    assert used == {code.name for code in RefusalCode}
