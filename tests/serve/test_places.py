import pytest

from serve.counts import render
from serve.places import Places
from serve.problems import Problem


def test_places_are_taken_and_given_back() -> None:
    places = Places(2)
    with places.hold(1), places.hold(1):
        with pytest.raises(Problem, match="busy"):
            places.check()
        with pytest.raises(Problem, match="busy"), places.hold(1):
            pass
        assert b"mgray_images_held 2.0" in render()
    places.check()
    assert b"mgray_images_held 0.0" in render()


def test_an_exam_with_more_images_than_places_is_taken_by_an_empty_endpoint() -> None:
    places = Places(2)
    with places.hold(4), pytest.raises(Problem):
        places.check()
    places.check()


def test_a_fault_gives_the_place_back() -> None:
    places = Places(1)
    with pytest.raises(ValueError, match="lost"), places.hold(1):
        raise ValueError("lost")
    places.check()
