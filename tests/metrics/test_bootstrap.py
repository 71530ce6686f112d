import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap

from mgray.metrics.area import Weights
from mgray.metrics.bootstrap import (
    Patients,
    bca_interval,
    group_patients,
    jackknife,
    percentile_band,
    percentile_interval,
    replicate,
    resample,
    resamples,
)
from mgray.metrics.config import BootstrapConfig

PATIENTS = group_patients(list("aabbccdd"), np.array([1, 0, 0, 0, 0, 0, 0, 1], bool))
SHORT = BootstrapConfig(replicates=100)


def everything(config: BootstrapConfig, patients: Patients = PATIENTS) -> np.ndarray:
    return np.vstack(list(resamples(patients, config)))


def test_a_patient_is_positive_when_any_image_is() -> None:
    assert PATIENTS.positive.tolist() == [True, False, False, True]


def test_images_of_one_patient_are_drawn_together() -> None:
    weights = everything(SHORT)
    np.testing.assert_array_equal(weights[:, ::2], weights[:, 1::2])


def test_as_many_positive_and_negative_patients_are_drawn_as_there_are() -> None:
    weights = everything(SHORT)[:, ::2]
    assert (weights[:, [0, 3]].sum(axis=1) == 2).all()
    assert (weights[:, [1, 2]].sum(axis=1) == 2).all()


def test_the_number_of_replicates_is_exact() -> None:
    assert len(everything(BootstrapConfig(replicates=37))) == 37


def test_the_first_replicates_do_not_depend_on_how_many_follow() -> None:
    few, many = BootstrapConfig(replicates=20), BootstrapConfig(replicates=70)
    np.testing.assert_array_equal(everything(few), everything(many)[:20])


def test_another_seed_draws_others() -> None:
    assert (everything(SHORT) != everything(BootstrapConfig(replicates=100, seed=1))).any()


def test_a_patient_is_drawn_once_on_average() -> None:
    weights = everything(BootstrapConfig(replicates=4000))
    np.testing.assert_allclose(weights.mean(axis=0), 1.0, atol=0.05)


def test_every_statistic_sees_the_same_draws() -> None:
    def first(weights: Weights) -> np.ndarray:
        return weights[:, 0]

    def twice(weights: Weights) -> np.ndarray:
        return 2 * weights[:, 0]

    values = replicate([first, twice], PATIENTS, SHORT)
    np.testing.assert_array_equal(2 * values[0], values[1])


def test_no_replicates_give_an_empty_row_per_statistic() -> None:
    values = replicate([lambda w: w[:, 0]], PATIENTS, BootstrapConfig(replicates=0))
    assert values.shape == (1, 0)


def test_the_jackknife_leaves_out_all_images_of_one_patient() -> None:
    totals = jackknife([lambda w: w.sum(axis=1), lambda w: w[:, 0]], PATIENTS)
    assert totals.tolist() == [[6, 6, 6, 6], [0, 1, 1, 1]]


def test_the_percentile_interval_is_the_middle_95_percent() -> None:
    assert percentile_interval(np.arange(1001.0)) == pytest.approx((25, 975))


def test_an_undefined_replicate_gives_no_interval() -> None:
    assert percentile_interval(np.array([0.1, np.nan])) is None
    assert percentile_interval(np.zeros(0)) is None


def a_mean(count: int) -> tuple[np.ndarray, Patients]:
    values = np.random.default_rng(3).exponential(size=count)
    patients = group_patients([f"{n:03d}" for n in range(count)], np.zeros(count, bool))
    return values, patients


def mean_of(values: np.ndarray) -> object:
    return lambda weights: weights @ values / weights.sum(axis=1)


@pytest.mark.parametrize("method", ["percentile", "BCa"])
def test_intervals_of_a_mean_agree_with_scipy(method: str) -> None:
    values, patients = a_mean(60)
    statistic = mean_of(values)
    drawn = replicate([statistic], patients, BootstrapConfig(replicates=4000))[0]
    left_out = jackknife([statistic], patients)[0]
    ours = {
        "percentile": percentile_interval(drawn),
        "BCa": bca_interval(drawn, float(values.mean()), left_out),
    }[method]
    theirs = scipy_bootstrap(
        (values,), np.mean, n_resamples=4000, method=method, rng=np.random.default_rng(0)
    ).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.03)


def test_bca_falls_back_where_every_replicate_is_on_one_side() -> None:
    values = np.linspace(1, 2, 100)
    assert bca_interval(values, 0.5, np.array([1.0, 2])) == percentile_interval(values)


def test_bca_of_an_undefined_statistic_is_none() -> None:
    assert bca_interval(np.array([1.0, 2]), 1.5, np.array([np.nan, 1])) is None


def test_a_band_holds_the_middle_95_percent_of_every_point() -> None:
    def ramp(weights: Weights) -> np.ndarray:
        return weights[:, :1] * np.array([[1.0, 2.0]])

    band = percentile_band(ramp, PATIENTS, SHORT)
    assert band is not None
    assert band.shape == (2, 2)
    np.testing.assert_allclose(band[:, 1], 2 * band[:, 0])


def test_a_band_with_an_undefined_replicate_is_none() -> None:
    def undefined(weights: Weights) -> np.ndarray:
        return np.full((len(weights), 2), np.nan)

    assert percentile_band(undefined, PATIENTS, SHORT) is None
    assert percentile_band(undefined, PATIENTS, BootstrapConfig(replicates=0)) is None


@pytest.mark.parametrize("threads", [2, 5])
def test_the_number_of_threads_changes_nothing(threads: int) -> None:
    def spread_of(weights: Weights) -> np.ndarray:
        return weights @ np.arange(8.0) / weights.sum(axis=1)

    alone = replicate([spread_of], PATIENTS, SHORT, threads=1)
    np.testing.assert_array_equal(replicate([spread_of], PATIENTS, SHORT, threads), alone)
    left_out = jackknife([spread_of], PATIENTS, threads=1)
    np.testing.assert_array_equal(jackknife([spread_of], PATIENTS, threads), left_out)


def first_and_second() -> list[object]:
    return [lambda w: w[:, 0] / w.sum(axis=1), lambda w: w[:, 3] / w.sum(axis=1)]


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_a_difference_is_paired_and_has_the_interval_of_its_own_replicates(method: str) -> None:
    config = BootstrapConfig(replicates=400, method=method)
    one, other = resample(first_and_second(), PATIENTS, config)
    difference = one - other
    whole = replicate([lambda w: (w[:, 0] - w[:, 3]) / w.sum(axis=1)], PATIENTS, config)[0]
    np.testing.assert_allclose(difference.drawn, whole, atol=1e-15)
    assert difference.point == 0
    assert (difference.left_out is None) == (method == "percentile")
    low, high = difference.interval() or (0, 0)
    assert low < 0 < high


def test_a_model_minus_itself_is_nothing() -> None:
    (one,) = resample(first_and_second()[:1], PATIENTS, SHORT)
    assert (one - one).interval() == (0, 0)


def test_one_patient_alone_in_a_stratum_gives_no_interval() -> None:
    alone = group_patients(list("aabc"), np.array([1, 1, 0, 0], bool))
    healthy = group_patients(list("aabb"), np.zeros(4, bool))
    assert (alone.vary, healthy.vary, PATIENTS.vary) == (False, True, True)
    [found] = resample([lambda weights: weights[:, 0]], alone, SHORT)
    assert (found.point, found.interval()) == (1.0, None)
    assert percentile_band(lambda weights: weights, alone, SHORT) is None
