import numpy as np

from mgray.recipes.bench.bootstrap import make_split, measure_bootstrap, resample
from mgray.recipes.bench.config import BenchConfig

SMALL = {"images": 1000, "replicates": 20}


def test_time_and_memory_are_told_beside_their_goals() -> None:
    measured = measure_bootstrap(BenchConfig(**SMALL, repeats=1))
    (found,) = measured.comparisons
    assert found.goal == 60
    assert min(*found.ours, *found.bare) > 0
    assert 20 * 2**20 < measured.peaks["bootstrap"] < 2**30
    assert measured.notes[0].endswith("goal 4 GB met")


def test_areas_and_marks_are_like_the_papers() -> None:
    areas = resample(20_000, 20, seed=1)
    assert areas.shape == (1, 20)
    assert 0.4 < np.median(areas) < 0.8
    assert areas.std() > 0


def test_a_patient_has_six_images_and_an_image_a_hundred_marks() -> None:
    outcomes, patients = make_split(1200, seed=1)
    assert np.bincount(patients.of_image).tolist() == [6] * 200
    assert len(outcomes.false_scores) == 120_000
    assert 1 <= patients.positive.sum() <= 2
