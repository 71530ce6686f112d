"""Tests of tune.spaces."""

import pytest

from mgray.config import replace
from mgray.recipes.fusion import smoke
from tune.spaces import ALPHA, GAMMA_0, GAMMA_1, RATE, SPACES, focal, grid, two_point

PAPER = {ALPHA: 0.9, GAMMA_0: 2.5, GAMMA_1: 2.5, RATE: 1.5e-4}


@pytest.mark.parametrize("name", SPACES)
def test_every_key_is_a_key_of_the_recipe(name):
    space = SPACES[name]()
    ends = [{key: getattr(r, end) for key, r in space.ranges.items()} for end in ("low", "high")]
    for sample in [*space.points, *ends]:
        replace(smoke(), sample)


@pytest.mark.parametrize("name", ["grid", "two_point"])
def test_the_papers_best_is_a_point(name):
    assert PAPER in SPACES[name]().points


def test_the_papers_best_can_be_drawn():
    assert all(r.low <= PAPER[key] <= r.high for key, r in focal().ranges.items())


def test_the_grid_spans_what_is_drawn_from():
    for key, r in focal().ranges.items():
        values = {point[key] for point in grid().points}
        assert (min(values), max(values)) == (r.low, r.high)


def test_points_are_all_different():
    points = grid().points
    assert len({tuple(point.values()) for point in points}) == len(points) == 750


def test_a_grid_has_its_own_number_of_trials():
    assert (two_point().size(50), focal().size(50)) == (2, 50)
