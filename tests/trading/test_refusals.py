import pytest

from trading.refusals import RefusalCode


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
