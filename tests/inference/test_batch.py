import pytest

from mgray.data.table import ImageTable
from mgray.errors import NotFoundError
from mgray.inference.batch import predict_table
from mgray.inference.predictor import Predictor
from mgray.schema import PREDICTION

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def predictions(ray_cluster, fused_folder, table_folder):
    return predict_table(fused_folder, table_folder, ("test",), "fused")


def test_a_row_for_every_pair_of_the_split(predictions):
    assert predictions["pair_key"].to_pylist() == ["pair0", "pair1", "pair2", "pair3"]


def test_the_table_has_the_schema_of_predictions(predictions):
    assert predictions.schema.equals(PREDICTION, check_metadata=True)


def test_boxes_belong_to_the_models_first_input(predictions):
    assert predictions["image_id"].to_pylist() == [f"synthetic_2d{i}" for i in range(4)]


def test_the_models_name_is_in_every_row(predictions):
    assert set(predictions["model"].to_pylist()) == {"fused"}


def test_detections_are_the_predictors(predictions, fused_folder, table_folder):
    table = ImageTable.open(table_folder)
    row = table.index["image_id"].to_pylist().index("synthetic_2d2")
    (record,) = table.records([row])
    (expected,) = Predictor.load(fused_folder).predict([{"sm": record}])
    found = predictions["detections"][2].as_py()
    assert [(tuple(d["box"]), d["score"], d["label"]) for d in found] == [
        (d.box, d.score, d.label) for d in expected
    ]


def test_the_number_of_workers_changes_nothing(predictions, fused_folder, table_folder):
    assert predict_table(fused_folder, table_folder, ("test",), "fused", workers=1) == predictions


def test_the_upper_bound_is_predicted_from_both_images(ray_cluster, make_model, table_folder):
    folder = make_model("upper_bound", ("sm", "ffdm"))
    found = predict_table(folder, table_folder, ("train",), "upper_bound", workers=1)
    assert found["image_id"].to_pylist() == ["synthetic_2d4"]


def test_a_split_without_pairs_is_an_error(fused_folder, table_folder):
    with pytest.raises(NotFoundError, match="no pair in split val"):
        predict_table(fused_folder, table_folder, ("val",), "fused")


def test_a_missing_model_is_an_error_before_ray_starts(tmp_path, table_folder):
    with pytest.raises(NotFoundError, match="no model folder"):
        predict_table(tmp_path / "none", table_folder, ("test",), "fused")
