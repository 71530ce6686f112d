import pytest

from serve.answers import (
    Detected,
    Found,
    ImageAnswer,
    ImageFacts,
    ImageTiming,
    ModelFacts,
    Preprocessing,
    Refusal,
    Timing,
)
from serve.exam import accepted, compose, image_score, summarise_exam
from serve.problems import Problem


def found(score, label="malignant"):
    return Found(box=(0, 0, 1, 1), box_mm=None, score=score, label=label)


def image(score, side="L"):
    facts = ImageFacts(
        rows=10, columns=10, pixel_spacing_mm=None, kind="synthetic_2d", laterality=side,
        view="CC", view_modifiers=[],
    )  # fmt: skip
    shown = Preprocessing(
        crop=(0, 0, 10, 10), mirrored=False, inverted=False, window=None, net_size=(8, 8)
    )
    return ImageAnswer(
        image=facts, score=score, detections=[], warnings=[], preprocessing=shown,
        timing_ms=ImageTiming(decode=1, detect=2),
    )  # fmt: skip


def detected(score, side="L", study="s"):
    model = ModelFacts(id="m", version="1", sha256="0", config_fingerprint="f")
    return Detected(image(score, side), model, {"1": 0.5}, study)


def test_an_image_has_its_highest_malignant_score():
    assert image_score([found(0.9, "benign"), found(0.7), found(0.8)]) == 0.8


def test_without_a_malignant_box_the_score_is_zero():
    assert image_score([found(0.9, "benign")]) == 0.0


def test_one_image_is_an_exam():
    exam = summarise_exam([image(0.4)], ["s"])
    assert (exam.score, exam.warnings) == (0.4, [])
    assert [(b.laterality, b.score, b.images) for b in exam.breasts] == [("L", 0.4, [0])]


def test_a_breast_has_the_mean_of_its_views_and_the_exam_the_highest_breast():
    scores = [(0.2, "R"), (0.9, "L"), (0.4, "R"), (0.1, "L")]
    exam = summarise_exam([image(*one) for one in scores], ["s"] * 4)
    assert [b.laterality for b in exam.breasts] == ["R", "L"]
    assert [b.score for b in exam.breasts] == pytest.approx([0.3, 0.5])
    assert [b.images for b in exam.breasts] == [[0, 2], [1, 3]]
    assert exam.score == pytest.approx(0.5)


def test_images_without_a_side_are_a_breast_of_their_own():
    exam = summarise_exam([image(0.2, None), image(0.4, "L")], ["s", "s"])
    assert [b.laterality for b in exam.breasts] == [None, "L"]


def test_images_of_two_studies_are_a_caution():
    exam = summarise_exam([image(0.2), image(0.4)], ["s", "t"])
    assert [caution.code for caution in exam.warnings] == ["several_exams"]


def test_the_answer_keeps_the_order_of_the_request():
    answer = compose([detected(0.2, "R"), detected(0.6)], Timing(read=1, total=9))
    assert [one.score for one in answer.images] == [0.2, 0.6]
    assert (answer.thresholds, answer.timing_ms.total) == ({"1": 0.5}, 9)


def test_nothing_refused_is_accepted():
    replies = [detected(0.2), detected(0.3)]
    assert accepted(replies) == replies


def test_a_refusal_is_told_with_its_number():
    with pytest.raises(Problem) as refused:
        accepted([detected(0.2), Refusal("no_pixels", "")])
    assert (refused.value.status, refused.value.code) == (422, "no_pixels")
    assert refused.value.detail == "image 2 of 2: the object holds no pixel data"


def test_a_single_image_needs_no_number():
    with pytest.raises(Problem) as refused:
        accepted([Refusal("too_large", "9 bytes > 8")])
    assert refused.value.detail == "9 bytes > 8"
