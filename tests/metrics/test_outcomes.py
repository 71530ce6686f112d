import numpy as np

from mgray.metrics.config import HitConfig
from mgray.metrics.outcomes import (
    ImageMarks,
    Outcomes,
    by_image,
    false_marks,
    images_hit,
    score_classes,
    score_images,
    select,
    select_lesions,
)

NONE = np.zeros((0, 4))
LESION = np.array([[100.0, 100, 140, 140]])
TWO = np.array([[100.0, 100, 140, 140], [900, 900, 940, 940]])
FAR = np.array([[500.0, 500, 540, 540]])


def three_images() -> Outcomes:
    """Two lesions of which one is found twice; a healthy image with a mark; a missed lesion."""
    images = [
        ImageMarks(TWO, np.vstack([LESION, LESION + 5, FAR]), np.array([0.4, 0.7, 0.2])),
        ImageMarks(NONE, FAR, np.array([0.6])),
        ImageMarks(LESION, NONE, np.zeros(0)),
    ]
    return score_images(images, HitConfig())


def test_a_lesion_gets_the_best_score_of_its_marks() -> None:
    assert three_images().lesion_scores.tolist() == [0.7, -np.inf, -np.inf]


def test_a_second_mark_on_a_lesion_is_not_false() -> None:
    assert three_images().false_scores.tolist() == [0.2, 0.6]


def test_scores_remember_their_image() -> None:
    outcomes = three_images()
    assert outcomes.lesion_images.tolist() == [0, 0, 2]
    assert outcomes.false_images.tolist() == [0, 1]


def test_images_with_a_lesion_are_positive() -> None:
    assert three_images().positive.tolist() == [True, False, True]


def test_selection_renumbers_the_images_it_keeps() -> None:
    kept = select(three_images(), np.array([False, True, True]))
    assert kept.images == 2
    assert kept.lesion_images.tolist() == [1]
    assert kept.false_images.tolist() == [0]


def test_a_mark_on_a_lesion_left_out_is_neither_hit_nor_false() -> None:
    whole = three_images()
    kept = select_lesions(whole, np.array([False, True, True]))
    assert kept.images == 3
    assert kept.lesion_scores.tolist() == [-np.inf, -np.inf]
    assert kept.lesion_images.tolist() == [0, 2]
    assert kept.false_scores.tolist() == whole.false_scores.tolist()
    assert sorted(kept.repeat_scores.tolist()) == [0.4, 0.7]
    assert kept.repeat_images.tolist() == [0, 0]


def test_an_image_is_found_when_any_lesion_is() -> None:
    assert by_image(three_images()).lesion_scores.tolist() == [0.7, -np.inf]


def test_images_are_hit_at_a_threshold_equal_to_the_score() -> None:
    assert images_hit(three_images(), 0.7).tolist() == [True, False, False]
    assert not images_hit(three_images(), 0.71).any()


def test_false_marks_are_counted_per_image() -> None:
    assert false_marks(three_images(), 0.2).tolist() == [1, 1, 0]
    assert false_marks(three_images(), 0.5).tolist() == [0, 1, 0]


def test_no_images_give_empty_outcomes() -> None:
    empty = score_images([], HitConfig())
    assert empty.images == 0
    assert empty.positive.shape == (0,)


def test_a_mark_of_another_class_is_no_hit() -> None:
    lesions = np.array([[0.0, 0, 40, 40], [500, 0, 540, 40]])
    image = ImageMarks(lesions, lesions, np.array([0.9, 0.8]))
    healthy = ImageMarks(np.zeros((0, 4)), lesions[:1], np.array([0.7]))
    found = score_classes(
        [image, healthy], [["mass", "calc"], []], [["mass", "mass"], ["calc"]], HitConfig()
    )
    assert list(found) == ["calc", "mass"]
    assert found["mass"].lesion_scores.tolist() == [0.9]
    assert found["mass"].false_scores.tolist() == [0.8]
    assert found["calc"].lesion_scores.tolist() == [-np.inf]
    assert found["calc"].false_images.tolist() == [1]


def test_a_second_hit_is_kept_apart() -> None:
    lesion = np.array([[0.0, 0, 40, 40]])
    image = ImageMarks(lesion, np.repeat(lesion, 3, axis=0), np.array([0.2, 0.9, 0.5]))
    found = score_images([image], HitConfig())
    assert found.lesion_scores.tolist() == [0.9]
    assert found.repeat_scores.tolist() == [0.2, 0.5]
    assert select(found, np.array([False])).repeat_scores.size == 0
