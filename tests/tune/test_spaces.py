"""Tests of tune.spaces."""

import pytest
from ray.tune.search.sample import Domain

from mgray.config import replace
from mgray.recipes.fusion import smoke
from tune.spaces import SPACES, count_points, flatten


@pytest.mark.parametrize("name", SPACES)
def test_every_key_is_a_key_of_the_recipe(name):
    space = SPACES[name]()
    samples = space["point"]["grid_search"] if "point" in space else [draw(space)]
    for sample in samples:
        replace(smoke(), sample)


def draw(space):
    return {key: value.sample() for key, value in space.items() if isinstance(value, Domain)}


def test_two_point_is_a_grid_of_two_over_alpha_gamma_and_rate():
    points = SPACES["two_point"]()["point"]["grid_search"]
    assert len(points) == 2
    assert all(
        {key.split(".")[1] for key in point} >= {"alpha_positive", "learning_rate"}
        for point in points
    )


def test_focal_holds_the_papers_best():
    space = SPACES["focal"]()
    assert space["loss.alpha_positive"].lower <= 0.9 <= space["loss.alpha_positive"].upper
    assert space["loss.gamma_positive"].lower <= 2.5 <= space["loss.gamma_positive"].upper
    assert (
        space["optimizer.learning_rate"].lower <= 1.5e-4 <= space["optimizer.learning_rate"].upper
    )


def test_flatten_opens_points():
    assert flatten({"point": {"a.b": 1}, "c": 2}) == {"a.b": 1, "c": 2}


@pytest.mark.parametrize(("name", "points"), [("two_point", 2), ("focal", 1)])
def test_points_of_a_space_are_counted(name, points):
    assert count_points(SPACES[name]()) == points
