"""The demo from end to end, small: the same jobs, a real archive, a real endpoint."""

import json
from pathlib import Path

import pytest
import yaml

from mgray.config import build
from mgray.errors import ConfigError, MgrayError
from mgray.recipes.demo import DemoConfig, _jobs, run_demo, run_jobs

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(1800)]

STAGES = ("sm", "ffdm", "student", "fused", "upper_bound")
QUICK = ("train.validate_every=1000", *(f"train.steps.{stage}=2" for stage in STAGES))


def test_seed_and_workers_reach_every_step(tmp_path):
    steps = [words for _, words in _jobs(DemoConfig(seed=7, workers=4), tmp_path)]
    assert [words[0] for words in steps] == [
        *("jobs.phantom", "jobs.ingest", "jobs.ingest", "jobs.train", "jobs.evaluate")
    ]
    assert [words[0] for words in steps if "seed=7" in words] == [
        *("jobs.phantom", "jobs.train", "jobs.evaluate")
    ]
    for words in steps:
        assert {"workers=4", "train.workers=4"} & set(words), words[0]


def test_workers_that_cannot_share_a_batch_are_refused_before_anything_is_made():
    with pytest.raises(ConfigError, match="workers=3: Input should be 1, 2, 4 or 8"):
        build(DemoConfig, {"workers": 3})


@pytest.fixture(scope="module")
def shown(tmp_path_factory) -> Path:
    """Folder of a demo whose jobs have run twice."""
    out = tmp_path_factory.mktemp("demo")
    config = DemoConfig(out=out, exams=12, once=True, train=QUICK)
    run_demo(config)
    weights = sorted(config.out.rglob("model.safetensors"))
    before = [path.stat().st_mtime_ns for path in weights]
    run_jobs(config, config.out)
    assert before == [path.stat().st_mtime_ns for path in weights], "a second run trained again"
    return config.out


def test_two_ray_workers_trained_all_five_stages(shown):
    config = yaml.safe_load((shown / "train" / "config.resolved.yaml").read_text())
    assert config["train"]["workers"] == 2
    for stage in STAGES:
        assert list((shown / "train" / "stages" / stage).glob("checkpoints*/step_0000002")), stage
        assert (shown / "train" / "models" / stage / "model.safetensors").is_file()


def test_the_report_holds_every_promised_number(shown):
    report = json.loads((shown / "report" / "report.json").read_text())
    for model in ("sm", "ffdm", "upper_bound", "fused"):
        numbers = report["models"][model]
        assert {"fauc_1", "fauc_1_ci95", "fauc_1_plus", "fauc_1_plus_ci95"} <= numbers.keys()
    assert {"gap_closed", "gap_closed_ci95", "served"} <= report.keys()


def test_a_phantom_and_a_real_mammogram_were_served(shown):
    served = json.loads((shown / "report" / "report.json").read_text())["served"]
    assert [answer["what"] for answer in served] == ["phantom SM", "real mammogram (film)"]
    assert all(answer["answer"]["model"]["sha256"] for answer in served)


def test_the_served_answer_is_the_predictors(shown):
    """Bit for bit: the endpoint and the offline predictor see the same bytes."""
    from mgray.dicom.record import read_record
    from mgray.inference.predictor import Predictor
    from mgray.recipes.demo import phantom_sm

    (offline,) = Predictor.load(shown / "train" / "models" / "fused").predict(
        [{"sm": read_record(phantom_sm(shown)).columns}]
    )
    answer = json.loads((shown / "served.json").read_text())[0]["answer"]
    (image,) = answer["images"]
    assert [tuple(d["box"]) for d in image["detections"]] == [d.box for d in offline]
    assert [d["score"] for d in image["detections"]] == [d.score for d in offline]


def test_every_file_is_accounted_for(shown):
    for table, files in (("table", 12 * 8), ("table_samples", 8)):
        manifest = json.loads((shown / table / "manifest.json").read_text())
        assert manifest["rows"] + manifest["quarantined"] == manifest["files"] == files


def test_a_failed_step_names_itself_and_the_way_on(tmp_path):
    with pytest.raises(MgrayError, match=r"jobs\.phantom ended with exit code 2.*same command"):
        run_demo(DemoConfig(out=tmp_path, exams=-1, once=True))
