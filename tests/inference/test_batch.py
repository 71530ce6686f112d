import shutil

import pytest

from mgray.data.table import ImageTable
from mgray.errors import DataError, NotFoundError
from mgray.inference.batch import PairPredictor, build_tasks, collect, predict_models
from mgray.inference.predictor import Predictor
from mgray.schema import PREDICTION

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def predictions(ray_cluster, fused_folder, table_folder):
    return dict(predict_models({"fused": fused_folder}, table_folder, ("test",)))["fused"]


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


def test_many_models_and_any_number_of_workers_change_nothing(
    predictions, fused_folder, make_model, table_folder
):
    folders = {"sm": make_model("detector"), "fused": fused_folder}
    found = dict(predict_models(folders, table_folder, ("test",), workers=1))
    assert found["fused"] == predictions
    assert set(found["sm"]["model"].to_pylist()) == {"sm"}
    assert found["sm"]["image_id"] == predictions["image_id"]
    assert found["sm"]["detections"] != predictions["detections"]


def test_the_upper_bound_is_predicted_from_both_images(make_model, table_folder):
    """In one process, as a search does."""
    predictor = PairPredictor({"ub": make_model("upper_bound", ("sm", "ffdm"))}, table_folder)
    found = collect([predictor(task) for task in build_tasks(["ub"], table_folder, ("train",))])
    assert found["image_id"].to_pylist() == ["synthetic_2d4"]


def test_a_split_without_pairs_is_an_error(fused_folder, table_folder):
    with pytest.raises(NotFoundError, match="no pair in split val"):
        next(predict_models({"fused": fused_folder}, table_folder, ("val",)))


def test_a_missing_model_is_an_error_before_ray_starts(tmp_path, table_folder):
    with pytest.raises(NotFoundError, match="no model folder"):
        next(predict_models({"fused": tmp_path / "none"}, table_folder, ("test",)))


def test_tasks_come_in_the_order_of_the_table(table_folder):
    tasks = build_tasks(["sm"], table_folder, ("train", "val", "test"))
    first = [min(task["sm"], task["ffdm"]) for part in tasks for task in part.to_pylist()]
    assert first == sorted(first)


def test_a_damaged_shard_is_one_line(fused_folder, table_folder, tmp_path):
    """As ``jobs.evaluate`` says it: Ray's own error has a page and lacks the cause."""
    table = ImageTable.open(table_folder)
    shutil.copytree(table_folder, tmp_path / "table")
    for row in range(len(table)):
        place = {name: table.places[name][row].as_py() for name in table.places.column_names}
        shard = tmp_path / "table" / "images" / place["shard"]
        content = bytearray(shard.read_bytes())
        content[place["pixels_at"] + place["head_bytes"][2] - 1] ^= 1
        shard.write_bytes(content)
    with pytest.raises(DataError, match=r"^image table: shard [^\n]* is damaged [^\n]*$"):
        dict(predict_models({"fused": fused_folder}, tmp_path / "table", ("test",)))
