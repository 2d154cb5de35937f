import math

import numpy as np
import pytest

from actors.feeds.sources import load_prices
from trading.errors import DataError, UsageError
from trading.portfolio_risk.copulas.conditions import at
from trading.portfolio_risk.copulas.gaussian import GaussianCopula
from trading.portfolio_risk.copulas.pair import FAMILIES, PairCopula
from trading.portfolio_risk.copulas.selection import (
    FITS,
    families_for,
    fit_copula,
    scored,
    select_copula,
)
from trading.portfolio_risk.copulas.student import StudentCopula
from trading.portfolio_risk.copulas.uniforms import pseudo_observations

NAMES = ("AAPL", "KO", "XOM")
PAIR = np.array([[1.0, 0.6], [0.6, 1.0]])
PLANTED = {
    "gaussian": GaussianCopula(PAIR, NAMES[:2]),
    "student": StudentCopula(PAIR, 3.0, NAMES[:2]),
    "clayton": PairCopula(FAMILIES["clayton"].of_tau(0.4), NAMES[:2]),
    "gumbel-180": PairCopula(FAMILIES["gumbel"].of_tau(0.4), NAMES[:2], 180),
    "joe-90": PairCopula(FAMILIES["joe"].of_tau(0.4), NAMES[:2], 90),
}


@pytest.mark.parametrize("family", list(PLANTED))
@pytest.mark.parametrize("criterion", ["aic", "bic"])
def test_planted_family_comes_first(family, criterion):
    uniforms = PLANTED[family].sample(3000, np.random.default_rng(1))
    ranking = select_copula(uniforms, NAMES[:2], criterion=criterion)
    assert ranking[0].copula.family == family
    values = [getattr(each, criterion) for each in ranking]
    assert values == sorted(values)
    assert len(ranking) == 5


def test_criteria_are_those_of_the_likelihood():
    uniforms = PLANTED["student"].sample(100, np.random.default_rng(1))
    found = scored(PLANTED["student"], uniforms)
    likelihood = PLANTED["student"].log_density(uniforms).sum()
    assert found.log_likelihood == pytest.approx(likelihood)
    assert found.aic == pytest.approx(2.0 * 2 - 2.0 * likelihood)
    assert found.bic == pytest.approx(2 * math.log(100) - 2.0 * likelihood)


def test_more_assets_choose_among_the_families_that_join_them():
    copula = StudentCopula(np.full((3, 3), 0.5) + 0.5 * np.eye(3), 3.0, NAMES)
    uniforms = copula.sample(400, np.random.default_rng(1))
    ranking = select_copula(uniforms, NAMES)
    assert {each.copula.family for each in ranking} == {"gaussian", "student", "vine"}
    assert ranking[-1].copula.family == "gaussian"
    assert set(families_for(2)) | set(families_for(3)) == set(FITS)


def test_wrong_use_is_refused():
    uniforms = np.random.default_rng(1).random((50, 2))
    with pytest.raises(UsageError, match="there is no copula frank; choose one of gaussian"):
        fit_copula("frank", uniforms, NAMES[:2])
    with pytest.raises(UsageError, match="the criterion is p, must be aic or bic"):
        select_copula(uniforms, NAMES[:2], criterion="p")
    with pytest.raises(UsageError, match="no family to choose from"):
        select_copula(uniforms, NAMES[:2], families=())
    with pytest.raises(UsageError, match="at least two assets, not 1"):
        select_copula(uniforms[:, :1], NAMES[:1])
    with pytest.raises(DataError, match="KO: value 0 is 2"):
        select_copula(np.array([[0.5, 2.0]]), NAMES[:2])


def test_extremes_of_real_stocks_come_together():
    """The t copula explains them better than the Gaussian one, which has no tail dependence."""
    names = ("KO", "PEP", "JPM", "XOM")
    close = load_prices("sp500", names).close[-1000:]
    uniforms = pseudo_observations(close[1:] / close[:-1] - 1.0, names)
    student, gaussian = select_copula(uniforms, names, ("gaussian", "student"), "bic")
    assert (student.copula.family, gaussian.copula.family) == ("student", "gaussian")
    assert student.bic < gaussian.bic - 50.0
    drop = student.copula.sample_given({"KO": at(0.01)}, 4000, np.random.default_rng(1))
    assert (np.median(drop, axis=0) < 0.35).all()
