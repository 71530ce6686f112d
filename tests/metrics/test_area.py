import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgray.metrics.area import build_steps, fauc_statistic, on_positive
from mgray.metrics.bootstrap import group_patients, percentile_interval, replicate, resamples
from mgray.metrics.config import BootstrapConfig, Interpolation
from mgray.metrics.froc import Curve, build_events, fauc, froc, weighted_curves
from mgray.metrics.outcomes import Outcomes, select
from tests.metrics.made import SMALL, any_outcomes, outcomes

INTERPOLATIONS: list[Interpolation] = ["trapezoid", "exact_step", "dbtex_interp"]


def by_curve(data: Outcomes, weights: np.ndarray, x: float, how: Interpolation) -> np.ndarray:
    """The area under each replicate's curve, as it was computed before there were steps."""
    pairs = zip(*weighted_curves(build_events(data, how), weights), strict=True)
    return np.array([fauc(Curve(fppi, fppi, found), x, how).raw for fppi, found in pairs])


@given(any_outcomes(), st.sampled_from([1 / 3, 1.0, 2.0]), st.sampled_from(INTERPOLATIONS))
def test_the_area_is_that_under_the_curve(data: Outcomes, x: float, how: Interpolation) -> None:
    weights = np.random.default_rng(7).integers(0, 3, (5, data.images)).astype(float)
    expected = by_curve(data, weights, x, how)
    found = fauc_statistic(data, x, how)(weights)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@given(any_outcomes(), st.sampled_from(INTERPOLATIONS))
def test_unweighted_it_is_the_printed_area(data: Outcomes, how: Interpolation) -> None:
    printed = fauc(froc(data, how), 1.0, how).raw
    assert fauc_statistic(data, 1.0, how)(np.ones((1, data.images)))[0] == pytest.approx(printed)


def realistic(images: int = 400) -> Outcomes:
    """Four images a patient, a lesion in each tenth, many false positives of low score."""
    rng = np.random.default_rng(5)
    with_lesion = np.arange(0, images, 10)
    found = rng.random(len(with_lesion)) < 0.8
    false = rng.beta(2, 3, 10 * images)
    return Outcomes(
        np.where(found, rng.beta(3, 2, len(with_lesion)), -np.inf),
        with_lesion,
        np.round(false, 3),
        rng.integers(0, images, len(false)),
        images,
    )


@pytest.mark.parametrize("how", INTERPOLATIONS)
def test_intervals_are_those_of_resampled_curves(how: Interpolation) -> None:
    data, config = realistic(), BootstrapConfig(replicates=200)
    patients = group_patients([str(n // 4) for n in range(data.images)], data.positive)
    drawn = replicate([fauc_statistic(data, 1.0, how)], patients, config)[0]
    slow = np.concatenate([by_curve(data, w, 1.0, how) for w in resamples(patients, config)])
    np.testing.assert_allclose(drawn, slow, atol=1e-12)
    assert percentile_interval(drawn) == pytest.approx(percentile_interval(slow), abs=1e-12)


def test_false_positives_far_beyond_x_are_not_looked_at() -> None:
    data = realistic()
    assert build_steps(data, "trapezoid", 500.0).false.nnz < 600
    assert build_steps(data, "trapezoid").false.nnz > 1000


def test_without_an_image_or_a_lesion_it_is_not_a_number() -> None:
    assert np.isnan(fauc_statistic(SMALL)(np.zeros((1, 4)))).all()
    assert np.isnan(fauc_statistic(outcomes([], [(0.5, 0)], 1))(np.ones((1, 1)))).all()


@given(any_outcomes(), st.integers(1, 3))
def test_a_weight_counts_like_a_repeated_image(data: Outcomes, times: int) -> None:
    weights = np.ones((1, data.images))
    weights[0, 0] = times
    again = [data.lesion_images == 0, data.false_images == 0]
    repeated = data
    for extra in range(times - 1):
        new = data.images + extra
        repeated = Outcomes(
            np.r_[repeated.lesion_scores, data.lesion_scores[again[0]]],
            np.r_[repeated.lesion_images, np.full(int(again[0].sum()), new)],
            np.r_[repeated.false_scores, data.false_scores[again[1]]],
            np.r_[repeated.false_images, np.full(int(again[1].sum()), new)],
            new + 1,
        )
    assert fauc_statistic(data)(weights)[0] == pytest.approx(fauc(froc(repeated)).raw)


def test_the_plus_form_looks_at_images_with_a_lesion_only() -> None:
    plus = on_positive(SMALL, fauc_statistic)(np.ones((1, 4)))[0]
    assert plus == pytest.approx(fauc(froc(select(SMALL, SMALL.positive))).raw)


def test_a_replicate_with_few_false_positives_uses_the_events_beyond_the_margin() -> None:
    rng = np.random.default_rng(0)
    false = [(float(rng.random()), int(image)) for image in rng.integers(0, 20, 400)]
    data = outcomes([(float(rng.random()), n) for n in range(10)], false, 20)
    weights = (rng.random((50, 20)) < 0.3) * 1.0
    weights[:, 0] = 1
    pruned = fauc_statistic(data)(weights)
    for row, value in zip(weights, pruned, strict=True):
        assert value == pytest.approx(fauc(froc(select(data, row > 0))).raw)
