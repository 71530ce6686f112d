"""TensorBoard's file holds what was written; MLflow is asked if it is there."""

import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from tensorboardX.proto.event_pb2 import Event

from mgray.errors import ConfigError
from mgray.training.config import TrainConfig
from mgray.training.trackers import RUN_ID_FILE, build_trackers


class FakeClient:
    """MLflow's client as far as it is used."""

    logged: list[tuple[str, str, float, int]]

    def __init__(self, tracking_uri: str) -> None:
        assert tracking_uri == "fake"

    def get_experiment_by_name(self, name: str) -> None:
        return None

    def create_experiment(self, name: str) -> str:
        return f"number of {name}"

    def create_run(self, experiment_id: str, run_name: str) -> SimpleNamespace:
        return SimpleNamespace(info=SimpleNamespace(run_id=f"{run_name} in {experiment_id}"))

    def log_metric(self, run_id: str, key: str, value: float, step: int) -> None:
        self.logged.append((run_id, key, value, step))

    def set_terminated(self, run_id: str) -> None:
        self.logged.append((run_id, "ended", 0.0, 0))


@pytest.fixture
def fake_mlflow(monkeypatch: pytest.MonkeyPatch) -> type[FakeClient]:
    module = ModuleType("mlflow.tracking")
    module.MlflowClient = FakeClient  # type: ignore[attr-defined]
    FakeClient.logged = []
    monkeypatch.setitem(sys.modules, "mlflow", ModuleType("mlflow"))
    monkeypatch.setitem(sys.modules, "mlflow.tracking", module)
    return FakeClient


def events(folder: Path) -> Iterator[Event]:
    """Records of an event file: length, its checksum, the event, its checksum."""
    (path,) = (folder / "tensorboard").iterdir()
    data = path.read_bytes()
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        yield Event.FromString(data[12 : 12 + length])
        data = data[16 + length :]


def test_nobody_else_is_told_unless_asked_for(tmp_path: Path) -> None:
    assert build_trackers(tmp_path, 0, TrainConfig()) == []
    assert not list(tmp_path.iterdir())


def test_tensorboard_shows_every_metric_at_its_step(tmp_path: Path) -> None:
    (tracker,) = build_trackers(tmp_path, 0, TrainConfig(tensorboard=True))
    tracker.write({"step": 5, "loss": 0.5, "val_loss": 0.25})
    tracker.close()
    shown = [(v.tag, v.simple_value, e.step) for e in events(tmp_path) for v in e.summary.value]
    assert shown == [("loss", 0.5, 5), ("val_loss", 0.25, 5)]


def test_mlflow_gets_every_metric_at_its_step(
    tmp_path: Path, fake_mlflow: type[FakeClient]
) -> None:
    (tracker,) = build_trackers(tmp_path / "sm", 0, TrainConfig(mlflow="fake"))
    tracker.write({"step": 5, "loss": 0.5})
    tracker.close()
    run_id = "sm in number of mgray"
    assert fake_mlflow.logged == [(run_id, "loss", 0.5, 5), (run_id, "ended", 0.0, 0)]


def test_a_resumed_stage_goes_on_in_its_mlflow_run(
    tmp_path: Path, fake_mlflow: type[FakeClient]
) -> None:
    (tmp_path / RUN_ID_FILE).write_text("earlier")
    (tracker,) = build_trackers(tmp_path, 3, TrainConfig(mlflow="fake"))
    tracker.write({"step": 5, "loss": 0.5})
    assert fake_mlflow.logged == [("earlier", "loss", 0.5, 5)]


def test_mlflow_that_is_not_installed_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)
    with pytest.raises(ConfigError, match=r"needs MLflow: pip install mgray\[mlflow\]"):
        build_trackers(tmp_path, 0, TrainConfig(mlflow="fake"))
