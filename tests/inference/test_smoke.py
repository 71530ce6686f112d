import numpy as np
import pytest
import torch

from mgray.dicom.record import read_record
from mgray.errors import DataError
from mgray.inference.predictor import Detection, Predictor
from mgray.inference.smoke import reference_image, smoke_test
from mgray.models.saved import build_model
from tests.networks import small_meta


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """A fused model with random weights."""
    torch.manual_seed(0)
    meta = small_meta()
    return Predictor(build_model(meta), meta)


def test_the_reference_is_a_synthetic_image_that_ingest_takes() -> None:
    columns = read_record(reference_image()).columns
    assert columns["image_kind"] == "synthetic_2d"
    assert (columns["rows"], columns["columns"]) == (640, 480)


def test_the_reference_is_the_same_every_time() -> None:
    assert reference_image() == reference_image()


def test_a_sound_model_passes_with_its_answer(predictor: Predictor) -> None:
    columns = read_record(reference_image()).columns
    assert smoke_test(predictor) == predictor.predict([{"sm": columns}])[0]


def test_a_model_with_one_weight_that_is_no_number_is_refused(predictor: Predictor) -> None:
    weight = next(predictor.model.parameters()).detach().view(-1)
    before = float(weight[0])
    weight[0] = np.nan
    with pytest.raises(DataError, match="weights that are no numbers"):
        smoke_test(predictor)
    weight[0] = before


@pytest.mark.parametrize(
    "found",
    [
        Detection((0.0, 0.0, 481.0, 10.0), 0.5, "malignant"),
        Detection((0.0, 0.0, 10.0, 10.0), float("nan"), "malignant"),
        Detection((5.0, 0.0, 5.0, 10.0), 0.5, "malignant"),
    ],
)
def test_an_impossible_answer_is_refused(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch, found: Detection
) -> None:
    monkeypatch.setattr(predictor, "predict", lambda cases: [[found]])
    with pytest.raises(DataError, match="outside the image"):
        smoke_test(predictor)


def test_an_answer_that_changes_is_refused(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([[[]], [[Detection((0.0, 0.0, 10.0, 10.0), 0.5, "malignant")]]])
    monkeypatch.setattr(predictor, "predict", lambda cases: next(answers))
    with pytest.raises(DataError, match="differently when asked again"):
        smoke_test(predictor)


def test_a_model_with_statistics_that_are_no_numbers_is_refused(predictor: Predictor) -> None:
    """They are no parameters; every answer of such a model would be without boxes."""
    name = next(name for name, _ in predictor.model.named_buffers() if name.endswith("_var"))
    buffer = predictor.model.get_buffer(name)
    before = float(buffer[0])
    buffer[0] = np.nan
    with pytest.raises(DataError, match="weights that are no numbers"):
        smoke_test(predictor)
    columns = read_record(reference_image()).columns
    with pytest.raises(DataError, match="answers with what is no number"):
        predictor.predict([{"sm": columns}])
    buffer[0] = before
