from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mgray.data.transforms import Geometry
from mgray.errors import DataError, NotFoundError
from mgray.inference.postprocess import Kept, PostprocessConfig
from mgray.inference.predictor import Predictor
from mgray.inference.prepare import Prepared, prepare_case
from mgray.models.saved import load_model, save_model


@pytest.fixture(scope="module")
def predictor(fused_folder):
    return Predictor.load(fused_folder)


@pytest.fixture(scope="module")
def records(make_record):
    return [make_record(seed, size=(300 + 20 * seed, 200)) for seed in range(3)]


def cases(records):
    return [{"sm": record} for record in records]


def test_every_case_gets_an_answer_of_its_own(predictor, records):
    first, second, third = predictor.predict(cases(records))
    assert first != second != third


def test_no_case_gives_no_answer(predictor):
    assert predictor.predict([]) == []


def test_scores_fall(predictor, records):
    (found,) = predictor.predict(cases(records[:1]))
    scores = [detection.score for detection in found]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 1


def test_boxes_lie_inside_the_image(predictor, records):
    (found,) = predictor.predict(cases(records[:1]))
    boxes = np.array([detection.box for detection in found])
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2] <= records[0]["columns"]).all()
    assert (boxes[:, 3] <= records[0]["rows"]).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()


def test_labels_are_those_of_the_folder(predictor, records):
    (found,) = predictor.predict(cases(records[:1]))
    assert {detection.label for detection in found} <= {"benign", "malignant"}


def test_an_answer_is_the_same_alone_and_among_others(predictor, records):
    together = predictor.predict(cases(records))
    assert [predictor.predict([case])[0] for case in cases(records)] == together


def test_an_answer_does_not_depend_on_its_neighbours_in_the_batch(fused_folder, records):
    wide = Predictor.load(fused_folder, batch_size=2)
    forward = wide.predict(cases(records))
    backward = wide.predict(cases(records[::-1]))
    assert forward == backward[::-1]


def test_an_answer_does_not_depend_on_the_number_of_threads(predictor, records):
    threads = torch.get_num_threads()
    answers = []
    for count in (1, 2):
        torch.set_num_threads(count)
        answers.append(predictor.predict(cases(records[:1])))
    torch.set_num_threads(threads)
    assert answers[0] == answers[1]


def test_the_callers_number_of_threads_is_restored(predictor, records):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    predictor.predict(cases(records[:1]))
    after = torch.get_num_threads()
    torch.set_num_threads(before)
    assert after == 2


def test_the_same_folder_gives_the_same_answer_twice(fused_folder, predictor, records):
    again = Predictor.load(fused_folder)
    assert again.predict(cases(records)) == predictor.predict(cases(records))


def test_preparing_elsewhere_changes_nothing(predictor, records):
    prepared = [prepare_case(case, ("sm",), predictor.preprocess) for case in cases(records)]
    assert predictor.detect(prepared) == predictor.predict(cases(records))


def test_a_mirrored_image_gets_mirrored_boxes(predictor, make_record):
    from mgray.dicom.codecs import encode_htj2k
    from mgray.dicom.pixels import read_stored

    record = make_record(7)
    width = record["columns"]
    x0, y0, x1, y1 = record["breast_box"]
    mirrored = record | {
        "pixels": encode_htj2k(np.ascontiguousarray(read_stored(record)[:, ::-1])),
        "breast_box": [width - x1, y0, width - x0, y1],
        "pixels_face": "left",
    }
    (found,), (flipped,) = (
        predictor.predict([{"sm": record}]),
        predictor.predict([{"sm": mirrored}]),
    )
    back = [
        replace(d, box=(width - d.box[2], d.box[1], width - d.box[0], d.box[3])) for d in flipped
    ]
    assert [d.score for d in found] == pytest.approx([d.score for d in back], abs=1e-3)
    assert found[0].box == pytest.approx(back[0].box, abs=0.1)


def test_boxes_are_mapped_back_and_clipped(predictor):
    geometry = Geometry((0.5, 0.5), (0.0, 10.0), (128, 128))
    case = Prepared({}, geometry, rows=100, columns=80)
    kept = Kept(
        torch.tensor([[-5.0, 20, 10, 30], [10, 20, 60, 90]]),
        torch.tensor([0.5, 0.25]),
        torch.tensor([1, 0]),
    )
    found = predictor._to_detections(kept, case)
    assert [(d.box, d.score, d.label) for d in found] == [
        ((0, 20, 20, 40), 0.5, "malignant"),
        ((20, 20, 80, 100), 0.25, "benign"),
    ]


def test_a_box_in_the_padding_is_dropped(predictor):
    case = Prepared({}, Geometry((1.0, 1.0), (0.0, 0.0), (128, 128)), rows=50, columns=50)
    kept = Kept(torch.tensor([[60.0, 0, 90, 40]]), torch.tensor([0.9]), torch.tensor([1]))
    assert predictor._to_detections(kept, case) == []


def test_the_upper_bound_reads_both_images(make_model, make_record):
    both = Predictor.load(make_model("upper_bound", ("sm", "ffdm")))
    sm, ffdm, other = make_record(0), make_record(1), make_record(2)
    first, second = both.predict([{"sm": sm, "ffdm": ffdm}, {"sm": sm, "ffdm": other}])
    assert first != second


def test_limits_on_the_boxes_are_the_callers(fused_folder, predictor, records):
    few = Predictor(predictor.model, predictor.meta, postprocess=PostprocessConfig(keep=3))
    assert few.predict(cases(records[:1]))[0] == predictor.predict(cases(records[:1]))[0][:3]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(NotFoundError, match="no model folder"):
        Predictor.load(tmp_path / "nothing")


def test_a_folder_without_weights_is_refused(fused_folder, tmp_path):
    (tmp_path / "config.json").write_text((fused_folder / "config.json").read_text())
    with pytest.raises(NotFoundError, match=r"model\.safetensors"):
        Predictor.load(tmp_path)


def test_a_damaged_weights_file_is_refused(make_model):
    folder = make_model("detector")
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(DataError, match="does not match"):
        Predictor.load(folder)


def test_the_model_folder_says_how_outputs_become_boxes(
    fused_folder: Path, tmp_path: Path, records
) -> None:
    model, meta = load_model(fused_folder)
    few = meta.model_copy(update={"postprocess": PostprocessConfig(keep=3)})
    save_model(tmp_path / "few", model, few)
    assert len(Predictor.load(tmp_path / "few").predict(cases(records))[0]) <= 3
    assert len(Predictor.load(fused_folder).predict(cases(records))[0]) > 3


def test_contributions_are_detections_of_each_half(predictor, records):
    case = prepare_case({"sm": records[0]}, ("sm",), predictor.preprocess)
    a, b = predictor.contributions(case)
    (whole,) = predictor.detect([case])
    assert a
    assert b
    assert whole not in (a, b)


def test_asking_for_contributions_changes_no_answer(predictor, records):
    case = prepare_case({"sm": records[0]}, ("sm",), predictor.preprocess)
    before = predictor.detect([case])
    assert predictor.contributions(case) == predictor.contributions(case)
    assert predictor.detect([case]) == before


def test_a_model_without_halves_has_no_contributions(make_model, records):
    single = Predictor.load(make_model("detector"))
    assert (
        single.contributions(prepare_case({"sm": records[0]}, ("sm",), single.preprocess)) is None
    )
