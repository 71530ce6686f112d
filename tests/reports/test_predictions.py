import pyarrow.parquet as pq
import pytest

from mgray.config import replace
from mgray.errors import ConfigError, NotFoundError
from mgray.models.folder import read_meta, update_meta
from mgray.reports.predictions import collect_predictions, run_models
from mgray.schema import PREDICTION


def test_all_models_of_a_run_are_evaluated_in_the_reports_order(world: object) -> None:
    assert run_models(world.config) == ["untrained", "sm", "ffdm", "fused", "upper_bound"]


def test_named_models_are_evaluated_alone(world: object) -> None:
    assert run_models(replace(world.config, {"models": ["fused", "sm"]})) == ["sm", "fused"]


def test_an_unknown_model_names_the_known_ones(world: object) -> None:
    with pytest.raises(ConfigError, match="'b' is not one of untrained, sm"):
        run_models(replace(world.config, {"models": ["b"]}))


def test_a_run_without_models_is_one_line(world: object, tmp_path: object) -> None:
    with pytest.raises(NotFoundError, match=r"run python -m jobs\.train first"):
        run_models(replace(world.config, {"run": tmp_path}))


def test_predictions_of_val_and_the_split_are_one_table(world: object) -> None:
    table = collect_predictions(world.config, world.predict)
    written = pq.read_table(world.config.out / "predictions.parquet")
    assert written.equals(table)
    assert set(table["split"].to_pylist()) == {"val", "test"}
    assert table.schema.equals(PREDICTION)


def test_predictions_that_are_done_are_reused(world: object) -> None:
    first = collect_predictions(world.config, world.predict)
    again = collect_predictions(world.config, world.predict)
    assert len(world.calls) == 5
    assert again.equals(first)


def test_a_threshold_in_the_model_folder_does_not_ask_for_new_predictions(world: object) -> None:
    config = replace(world.config, {"models": ["sm"]})
    collect_predictions(config, world.predict)
    folder = config.run / "models" / "sm"
    meta = read_meta(folder)
    update_meta(folder, meta.model_copy(update={"thresholds": {"x": 0.5}}))
    collect_predictions(config, world.predict)
    update_meta(folder, meta)
    assert world.calls == ["sm"]


def test_another_preprocessing_asks_for_new_predictions(world: object) -> None:
    config = replace(world.config, {"models": ["sm"]})
    collect_predictions(config, world.predict)
    folder = config.run / "models" / "sm"
    meta = read_meta(folder)
    update_meta(folder, meta.model_copy(update={"preprocess": {"net_height": 99}}))
    collect_predictions(config, world.predict)
    update_meta(folder, meta)
    assert world.calls == ["sm", "sm"]
