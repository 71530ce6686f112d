import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgray.metrics.config import HitConfig, Profile
from mgray.metrics.hits import Match, match, radius_px, rule_text


def boxes(*rows: tuple[float, float, float]) -> np.ndarray:
    """Squares from (centre x, centre y, side)."""
    middle = np.array(rows, float).reshape(-1, 3)
    half = middle[:, 2:] / 2
    return np.hstack([middle[:, :2] - half, middle[:, :2] + half])


# A big lesion with a small one beyond its edge; half diagonals 565.7 and 28.3.
LESIONS = boxes((500, 500, 800), (950, 500, 40))
MARKS = boxes(
    (860, 500, 60),  # 0 in reach of both, nearer to the small one
    (800, 500, 60),  # 1 in reach of the big one only, nearer to the small one
    (480, 520, 700),  # 2 about the big one
    (950, 600, 60),  # 3 exactly 100 px from the small one
    (2000, 2000, 40),  # 4 far from everything
    (2000, 500, 2400),  # 5 far, but so big that its own radius reaches both
    (945, 505, 50),  # 6 about the small one
    (946, 505, 50),  # 7 the small one again
)
SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])
F = "false"
GOLDEN: dict[Profile, list[str]] = {
    "dbtex": ["1", "0", "0", "0", F, F, "1", "1"],
    "mammo_detr": ["1", F, "0", "1", F, F, "1", "1"],
    "tsynth": ["1", F, "01", F, F, "01", "1", "1"],
    "nndet": [F, F, "0", F, F, F, "1", F],
    "p3": ["0", "0", "0", F, F, F, "1", "1"],
}


def words(found: Match) -> list[str]:
    """Each mark's lesions as digits, ``false``, or nothing for a mark that is neither."""
    rows = zip(found.hits, found.false, strict=True)
    return [F if false else "".join(str(n) for n in np.flatnonzero(hits)) for hits, false in rows]


@pytest.mark.parametrize("profile", list(GOLDEN))
def test_each_profile_gives_its_golden_answer_on_the_toy_set(profile: Profile) -> None:
    found = match(LESIONS, MARKS, SCORES, HitConfig(profile=profile))
    assert words(found) == GOLDEN[profile]


def test_a_distance_equal_to_the_radius_hits_only_when_not_strict() -> None:
    strict = match(LESIONS, MARKS, SCORES, HitConfig(strict=True))
    loose = match(LESIONS, MARKS, SCORES, HitConfig(strict=False))
    assert [words(strict)[3], words(loose)[3]] == ["0", "1"]


def test_a_radius_in_mm_replaces_pixels_where_the_spacing_is_known() -> None:
    config = HitConfig(min_radius_px=100, min_radius_mm=7)
    assert radius_px(config, spacing_mm=0.14) == pytest.approx(50)
    assert radius_px(config, spacing_mm=None) == 100


def test_network_profiles_count_the_radius_in_network_pixels() -> None:
    detr = HitConfig(profile="mammo_detr", net_height=1433, net_scale=0.25)
    tsynth = HitConfig(profile="tsynth", net_scale=0.25)
    assert radius_px(detr) == pytest.approx(200)
    assert radius_px(tsynth) == pytest.approx(400)


def test_nndet_looks_at_the_best_hundred_marks_only() -> None:
    many = np.repeat(boxes((500, 500, 10)), 120, axis=0)
    found = match(LESIONS, many, np.linspace(1, 0, 120), HitConfig(profile="nndet"))
    assert found.false.sum() == 100


def test_marks_on_a_healthy_image_are_all_false() -> None:
    found = match(boxes(), MARKS, SCORES, HitConfig())
    assert found.false.all()
    assert found.hits.shape == (8, 0)


def test_no_marks_hit_nothing() -> None:
    found = match(LESIONS, boxes(), np.zeros(0), HitConfig())
    assert found.hits.shape == (0, 2)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (HitConfig(), "dbtex: distance of the centres < max(half the finding's diagonal, 100 px)"),
        (HitConfig(strict=False), "≤ max"),
        (HitConfig(min_radius_mm=7), "7 mm (100 px where the pixel spacing is unknown)"),
        (HitConfig(profile="tsynth"), "half the mark's diagonal"),
        (HitConfig(profile="nndet"), "IoU of at least 0.1"),
        (HitConfig(profile="p3"), "IoU of at least 0.2"),
    ],
)
def test_the_rule_says_its_numbers_and_its_frame(config: HitConfig, text: str) -> None:
    assert text in rule_text(config)
    assert "dicom frame" in rule_text(config)


POINT = st.tuples(st.floats(0, 2000), st.floats(0, 2000), st.floats(1, 800))


@given(
    lesions=st.lists(POINT, max_size=4),
    marks=st.lists(POINT, max_size=6),
    profile=st.sampled_from(list(GOLDEN)),
)
def test_a_mark_is_never_both_hit_and_false(
    lesions: list[tuple[float, float, float]],
    marks: list[tuple[float, float, float]],
    profile: Profile,
) -> None:
    scores = np.linspace(1, 0, len(marks))
    found = match(boxes(*lesions), boxes(*marks), scores, HitConfig(profile=profile))
    assert not (found.hits.any(axis=1) & found.false).any()


@given(shift=st.floats(-500, 500), profile=st.sampled_from(list(GOLDEN)))
def test_moving_the_whole_image_changes_nothing(shift: float, profile: Profile) -> None:
    shift = float(round(shift))  # whole pixels, so that the exact 100 px stay exact
    config = HitConfig(profile=profile)
    moved = match(LESIONS + shift, MARKS + shift, SCORES, config)
    assert words(moved) == GOLDEN[profile]
