"""Who else sees a stage's metrics beside ``metrics.jsonl``: TensorBoard, MLflow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from mgray.errors import ConfigError
from mgray.training.config import TrainConfig

EXPERIMENT: Final = "mgray"
RUN_ID_FILE: Final = "mlflow_run_id"


@runtime_checkable
class Tracker(Protocol):
    """A place that metrics go to while a stage runs."""

    def write(self, row: Mapping[str, float | int]) -> None:
        """Show one row; it has a ``step``."""

    def close(self) -> None:
        """Write what is still held back."""


class TensorBoard:
    """Event files in ``tensorboard/`` of the stage's folder.

    Args:
        folder: Of the stage.
        start: Step from which this attempt continues; what was shown after it is hidden.
    """

    def __init__(self, folder: Path, start: int) -> None:
        from tensorboardX import SummaryWriter

        self.writer: Any = SummaryWriter(str(folder / "tensorboard"), purge_step=start + 1)

    def write(self, row: Mapping[str, float | int]) -> None:
        """Show one row."""
        for name, value in row.items():
            if name != "step":
                self.writer.add_scalar(name, value, int(row["step"]))

    def close(self) -> None:
        """Flush and close the event file."""
        self.writer.close()


class Mlflow:
    """A run in MLflow's experiment ``mgray``, continued by later attempts of the stage.

    Args:
        folder: Of the stage; remembers the run's id.
        uri: Of the tracking server.

    Raises:
        ConfigError: MLflow is not installed.
    """

    def __init__(self, folder: Path, uri: str) -> None:
        try:
            from mlflow.tracking import MlflowClient
        except ModuleNotFoundError:
            raise ConfigError(
                f"train.mlflow={uri} needs MLflow: pip install mgray[mlflow]"
            ) from None
        self.client: Any = MlflowClient(tracking_uri=uri)
        self.run_id = _remembered(folder / RUN_ID_FILE) or self._new_run(folder)

    def write(self, row: Mapping[str, float | int]) -> None:
        """Log one row."""
        for name, value in row.items():
            if name != "step":
                self.client.log_metric(self.run_id, name, value, step=int(row["step"]))

    def close(self) -> None:
        """Mark the run as finished."""
        self.client.set_terminated(self.run_id)

    def _new_run(self, folder: Path) -> str:
        found = self.client.get_experiment_by_name(EXPERIMENT)
        number = found.experiment_id if found else self.client.create_experiment(EXPERIMENT)
        run_id = str(self.client.create_run(number, run_name=folder.name).info.run_id)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RUN_ID_FILE).write_text(run_id)
        return run_id


def build_trackers(folder: Path, start: int, config: TrainConfig) -> list[Tracker]:
    """Set up what the config asks for."""
    trackers: list[Tracker] = []
    if config.tensorboard:
        trackers.append(TensorBoard(folder, start))
    if config.mlflow:
        trackers.append(Mlflow(folder, config.mlflow))
    return trackers


def _remembered(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None
