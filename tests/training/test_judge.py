"""FAUC-1 while training is FAUC-1 of the evaluation."""

from dataclasses import replace as change
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mgray.config import replace
from mgray.data.table import ImageTable
from mgray.errors import DataError
from mgray.inference.batch import PairPredictor, build_tasks
from mgray.metrics.area import fauc_statistic, on_positive
from mgray.metrics.bootstrap import group_patients, resample
from mgray.metrics.config import BootstrapConfig
from mgray.metrics.froc import fauc, froc
from mgray.metrics.outcomes import ImageMarks, score_images, select
from mgray.models.saved import load_model
from mgray.recipes.fusion import FusionRun, build_stages
from mgray.reports.cases import Cases, build_cases
from mgray.training.feed import build_feed
from mgray.training.port import LocalPort
from mgray.training.validation import Validation, build_validation


def validation(config: FusionRun, finished: Path, name: str, folder: Path) -> Validation:
    """Validate a trained model, or an untrained student, on the pairs to train on."""
    changed = replace(config, {"out": finished, "train.judge": "fauc_1"})
    stage = next(stage for stage in build_stages(changed) if stage.name == name)
    port = LocalPort(folder)
    feed = build_feed(stage.feed, port)
    feed.val = feed.train
    task = stage.build()
    if name != "student":
        task.product().load_state_dict(load_model(finished / "models" / name)[0].state_dict())
    return build_validation(task.train(), feed, port, stage.loop.train, stage.loop.postprocess)


def evaluated(config: FusionRun, finished: Path, name: str) -> Cases:
    """The same pairs as the evaluation sees them."""
    predictor = PairPredictor({name: finished / "models" / name}, config.data)
    rows = map(predictor, build_tasks([name], config.data, ["train"]))
    table = ImageTable.open(config.data)
    return build_cases(table, pa.concat_tables(rows), "train", config.train.hit)


@pytest.mark.parametrize("name", ["sm", "ffdm", "upper_bound"])
def test_it_is_that_of_the_evaluation(
    name: str, tiny: FusionRun, finished: Path, tmp_path: Path
) -> None:
    config = replace(tiny, {"train.hit.min_radius_px": 60.0})
    means = validation(config, finished, name, tmp_path)()
    outcomes = evaluated(config, finished, name).outcomes[name]
    wanted = [fauc(froc(o)).raw for o in (outcomes, select(outcomes, outcomes.positive))]
    assert [means["fauc_1"], means["fauc_1_plus"]] == pytest.approx(wanted)
    assert means["fauc_1_plus"] > 0


def test_its_interval_is_that_of_the_evaluation(
    tiny: FusionRun, finished: Path, tmp_path: Path
) -> None:
    judge = validation(tiny, finished, "sm", tmp_path).judge
    assert judge
    random = np.random.default_rng(0)
    box = np.array([[0.0, 0.0, 10.0, 10.0]])
    judge.seen = {
        number: ImageMarks(
            box[: number % 2],
            np.concatenate([box + 500.0 * place for place in range(3)]),
            random.random(3),
        )
        for number in range(len(judge.pairs))
    }
    outcomes = score_images(list(judge.seen.values()), tiny.train.hit)
    patients = group_patients([pair.patient_id for pair in judge.pairs], outcomes.positive)
    often = BootstrapConfig(replicates=200)
    [wanted] = resample([on_positive(outcomes, fauc_statistic)], patients, often)
    low, high = wanted.interval() or (0.0, 0.0)
    found = judge.measure(tiny.train.hit, often)
    assert low < high
    assert (found["fauc_1_plus_low"], found["fauc_1_plus_high"]) == pytest.approx((low, high))


def test_a_task_without_boxes_is_judged_by_its_loss(
    tiny: FusionRun, finished: Path, tmp_path: Path
) -> None:
    validate = validation(tiny, finished, "student", tmp_path)
    means = validate()
    assert means.keys() == {"loss", "similarity"}
    assert validate.score(means) == -means["loss"]


def test_positives_without_a_box_are_left_out(
    tiny: FusionRun, finished: Path, tmp_path: Path
) -> None:
    validate = validation(tiny, finished, "sm", tmp_path)
    pairs = [change(pair, drawn=frozenset()) for pair in validate.feed.val]
    assert validate.judge
    validate.judge.pairs = pairs
    with pytest.raises(DataError, match=r"malignant box: set train\.judge=loss"):
        validate()
