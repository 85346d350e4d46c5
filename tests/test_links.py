"""Laws of every registered link, on NumPy and on JAX arrays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from jax import numpy as jnp
from scipy.special import erfcx

import bayesml.namespace
from bayesml.errors import ModelError
from bayesml.links import LINKS, Jet, get_link

PACKAGE = Path(bayesml.namespace.__file__).parent
PROBABILITY = ["logit", "probit", "probit_approx", "cloglog", "cauchit", "softit"]
POSITIVE_ETA = {"inverse", "1/mu^2", "sqrt"}
links = pytest.mark.parametrize("name", LINKS)


def etas(name: str) -> np.ndarray:
    return np.linspace(0.2, 4, 39) if name in POSITIVE_ETA else np.linspace(-3, 2, 41)


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


@links
def test_forward_undoes_inverse(name):
    link, eta = LINKS[name], etas(name)
    mu = link.inverse(eta)
    assert np.all((mu > link.support[0]) & (mu < link.support[1]))
    # the loss of digits is at most eps mu g'(mu), below 1e-12 on this grid
    np.testing.assert_allclose(link.forward(mu), eta, rtol=1e-12, atol=1e-12)


@links
@pytest.mark.parametrize("which", ["jet", "log_jet", "log_complement_jet"])
def test_jets_are_the_derivatives(name, which, x64):
    link, eta = LINKS[name], etas(name)
    mu = link.inverse(eta)
    eta = eta[{"jet": np.isfinite(mu), "log_jet": mu > 0.02, "log_complement_jet": mu < 0.98}[which]]
    function = {"jet": link.inverse, "log_jet": link.log_inverse, "log_complement_jet": link.log_complement}[which]
    jet = getattr(link, which)(eta)
    for order, part in enumerate(jet):
        expected = jax.jit(function)(jnp.asarray(eta))
        np.testing.assert_allclose(part, expected, rtol=1e-9, atol=1e-10, err_msg=f"order {order}")
        function = jax.grad(lambda e, f=function: f(e).sum())
        assert order == 0 or which != "jet" or np.array_equal(link.inverse_derivative(eta, order), part)


@links
def test_numpy_and_jax_agree_and_stay_themselves(name, x64):
    link, eta = LINKS[name], etas(name)
    for function in (link.inverse, link.log_inverse, link.complement, lambda e: link.forward(link.inverse(e))):
        with np.errstate(all="ignore"):
            ours = function(eta)
        assert isinstance(ours, np.ndarray)
        theirs = jax.jit(function)(jnp.asarray(eta))
        assert isinstance(theirs, jax.Array)
        np.testing.assert_allclose(theirs, ours, rtol=1e-11, atol=1e-12)


def test_logit_tails():
    # log(mu) = eta - log(1 + e^eta): at -40 the second term is e^-40 to all digits, and so are all derivatives
    jet = LINKS["logit"].log_jet(-40.0)
    np.testing.assert_allclose(list(jet), [-40 - np.exp(-40), 1, -np.exp(-40), -np.exp(-40)], rtol=1e-14)
    np.testing.assert_allclose(list(LINKS["logit"].log_complement_jet(40.0))[2:], [-np.exp(-40), np.exp(-40)])


@pytest.mark.parametrize("eta", [-12.0, -10.1, -9.9, -3.0, 0.0, 5.0])
def test_probit_slope_is_the_inverse_mills_ratio(eta):
    h = np.sqrt(2 / np.pi) / erfcx(-eta / np.sqrt(2))
    assert np.isclose(LINKS["probit"].log_jet(eta).d1, h, rtol=1e-13)
    assert np.isclose(LINKS["probit"].log_complement_jet(-eta).d1, -h, rtol=1e-13)


@pytest.mark.parametrize("t", [200.0, 600.0])
def test_probit_tails(t):
    # Mills ratio: h = t + 1/t - 2/t^3 + ..., so h' = -1 + 1/t^2 - 6/t^4 and h'' = 2/t^3 - 24/t^5 in x = -t
    jet = LINKS["probit"].log_jet(-t)
    expected = [t + 1 / t - 2 / t**3, -1 + 1 / t**2 - 6 / t**4, 2 / t**3 - 24 / t**5]
    np.testing.assert_allclose([jet.d1, jet.d2, jet.d3], expected, rtol=2e-6)


def test_probit_pieces_meet():
    # third derivative is about 2e-3 at -10, where the direct formula still has nine digits
    below, above = (LINKS["probit"].log_jet(eta) for eta in (np.nextafter(-10.0, -11.0), -10.0))
    np.testing.assert_allclose(list(below), list(above), rtol=1e-7)


def test_cloglog_tails():
    # log(mu) = eta - e/2 + e^2/24 with e = exp(eta)
    jet = LINKS["cloglog"].log_jet(-20.0)
    e = np.exp(-20.0)
    np.testing.assert_allclose(list(jet), [-20 - e / 2, 1 - e / 2, -e / 2, -e / 2], rtol=1e-8)
    jet = LINKS["cloglog"].log_jet(5.0)
    e = np.exp(5.0)
    g = e / np.expm1(e)
    np.testing.assert_allclose(list(jet)[1:3], [g, g * (1 - e - g)], rtol=1e-12)
    assert list(LINKS["cloglog"].log_jet(600.0)) == [0, 0, 0, 0]
    assert LINKS["cloglog"].log_inverse(-600.0) == -600.0


def test_cauchit_tails():
    # mu = arctan(1 / |eta|) / pi far below 0
    assert np.isclose(LINKS["cauchit"].inverse(-1e9), 1e-9 / np.pi, rtol=1e-14)
    assert np.isclose(LINKS["cauchit"].log_complement(1e9), np.log(1e-9 / np.pi), rtol=1e-14)
    assert LINKS["cauchit"].inverse(1e9) == 1 - 1e-9 / np.pi


@pytest.mark.parametrize("name", PROBABILITY)
def test_gradients_survive_extreme_predictors(name, x64):
    link = LINKS[name]
    for eta in (-600.0, -40.0, 40.0):
        for function in (link.inverse, link.log_inverse, link.log_complement):
            value, slope = jax.value_and_grad(function)(eta)
            assert np.isfinite(value) and np.isfinite(slope), (function, eta)


def test_composition_of_jets():
    eta = np.linspace(-1, 1, 5)
    composed = LINKS["log"].jet(LINKS["logit"].inverse(eta)).of(LINKS["logit"].jet(eta))
    p = LINKS["logit"].inverse(eta)
    q = 1 - p
    # derivatives of exp(p) by hand: e^p p', e^p (p'^2 + p''), with p' = pq, p'' = pq(q - p)
    np.testing.assert_allclose(composed.d1, np.exp(p) * p * q)
    np.testing.assert_allclose(composed.d2, np.exp(p) * ((p * q) ** 2 + p * q * (q - p)))
    assert Jet(np.inf, np.nan, 1.0, 1.0).scaled(0.0) == Jet(0.0, 0.0, 0.0, 0.0)


def test_names():
    assert get_link("logit") is LINKS["logit"]
    assert get_link(LINKS["log"]) is LINKS["log"]
    with pytest.raises(ModelError, match="did you mean `logit`.*identity, log, "):
        get_link("logti")
    with pytest.raises(ModelError, match="There is no link 3"):
        get_link(3)


def test_jax_is_not_imported():
    code = (
        "import sys, types; m = types.ModuleType('bayesml'); m.__path__ = [sys.argv[1]]; sys.modules['bayesml'] = m;"
        "import bayesml.links as l; l.get_link('probit').inverse([0.5]); sys.exit('jax' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(PACKAGE)], check=False).returncode == 0
