"""P1: detectors of SM and FFDM, a student of FFDM's representation on SM, fusion, upper bound.

::

    untrained   A before its first step
    sm          I-A   A on SM
    ffdm        I-C   C on FFDM
    student     II    B on SM learns C's representation of the paired FFDM
    fused       III   A and B side by side on SM; A and the predictor learn, B does not
    upper_bound UB    A and C side by side on SM and FFDM, all learn; boxes in the SM's frame

References:
    docs/PAPERS.md 1.3 to 1.5; ``P1-A...`` are its open questions.
"""

import logging
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Final, Literal

from pydantic import model_validator

from mgray.config import Config, fingerprint, replace
from mgray.data.batches import DataConfig
from mgray.data.pairs import build_pairs
from mgray.data.table import ImageTable
from mgray.data.transforms import PreprocessConfig
from mgray.errors import DataError
from mgray.models.config import DetectorConfig, FusionConfig, LossConfig
from mgray.models.efficientdet import EfficientDet, build_detector
from mgray.models.folder import ModelMeta, load_model, save_model
from mgray.models.fused import FusedDetector, UpperBound
from mgray.training.config import DistillationConfig, OptimizerConfig, TrainConfig
from mgray.training.feed import FeedConfig
from mgray.training.loop import LoopConfig
from mgray.training.run import run_stages
from mgray.training.stages import MODELS, STAGES, Stage
from mgray.training.task import DetectionTask, DistillationTask, Task

log = logging.getLogger(__name__)

Kind = Literal["sm", "ffdm"]
TRAINED: Final = ("sm", "ffdm", "student", "fused", "upper_bound")


class FusionRun(Config):
    """One full run of the paper's five stages."""

    data: Path = Path("data/table")
    """Image table, as ``jobs.ingest`` writes it."""
    out: Path = Path("runs/fusion")
    """Run folder: ``models/``, ``stages/``, ``config.resolved.yaml``, ``run.json``."""
    seed: int = 0
    """Of new weights, sampling and augmentation; nothing else is random."""
    detector: DetectorConfig = DetectorConfig()
    """A, B and C."""
    batches: DataConfig = DataConfig()
    loss: LossConfig = LossConfig()
    distillation: DistillationConfig = DistillationConfig()
    fusion: FusionConfig = FusionConfig()
    upper_bound_init: Literal["stage_one", "pretrained"] = "stage_one"
    """UB starts from the trained A and C, or as they once did; the paper says "end to end" only."""
    optimizer: OptimizerConfig = OptimizerConfig()
    train: TrainConfig = TrainConfig()

    @model_validator(mode="after")
    def _fits(self) -> "FusionRun":
        names, size = set(self.train.steps), self.batches.global_batch_size
        if names != set(TRAINED):
            raise ValueError(f"train.steps needs the stages {', '.join(TRAINED)}")
        if self.batches.sampler.mode == "weighted":
            raise ValueError("sampler.mode=weighted is for classifiers; use match or uniform")
        if size % max(self.train.workers, 1):
            raise ValueError(
                f"global_batch_size={size} is not a multiple of train.workers={self.train.workers}"
            )
        return self


def base() -> FusionRun:
    """The paper's scale: ``python -m jobs.train fusion.base data=DIR out=DIR``; eight GPUs.

    The paper gives alpha, gamma and the learning rate; the rest is P1-A13.
    """
    return FusionRun(
        detector=DetectorConfig(name="tf_efficientdet_d0", weights="coco"),
        batches=DataConfig(
            global_batch_size=32,
            preprocess=PreprocessConfig(net_height=2944, net_width=1920),
            threads=6,
        ),
        train=TrainConfig(
            steps=dict.fromkeys(TRAINED, 20_000),
            workers=8,
            gpu=True,
            amp=True,
            log_every=50,
            validate_every=1000,
            checkpoint_every=500,
            keep="best",
        ),
    )


def smoke() -> FusionRun:
    """The demo's scale: ``python -m jobs.train fusion.smoke data=DIR out=DIR``.

    About eight minutes on two cores. The detector is lite0 in TensorFlow's padding, for which the
    packaged ImageNet weights are exact; the net sees a breast at about 0.6 mm a pixel.
    """
    return FusionRun(
        detector=DetectorConfig(
            name="tf_efficientdet_lite0", weights="imagenet", norm_momentum=0.1
        ),
        batches=DataConfig(
            global_batch_size=8,
            preprocess=PreprocessConfig(net_height=256, net_width=128),
            threads=1,
        ),
        optimizer=OptimizerConfig(learning_rate=2e-3, warmup_steps=20),
        train=TrainConfig(
            steps={"sm": 320, "ffdm": 240, "student": 160, "fused": 120, "upper_bound": 160},
            log_every=5,
            validate_every=80,
            checkpoint_every=80,
        ),
    )


def run_fusion(config: FusionRun, use_ray: bool = True, stages: Collection[str] = TRAINED) -> Path:
    """Train what is not yet trained.

    Args:
        config: The whole run.
        use_ray: On Ray Train; ``train.workers=0`` runs in this process all the same.
        stages: Names of those to train, and ``untrained`` with them; a search needs only the first.

    Returns:
        The folder with the model folders.

    Raises:
        NotFoundError: No image table at ``data``.
        ConfigError: ``out`` holds a run of another config.
    """
    config = config.model_copy(update={"data": config.data.resolve(), "out": config.out.resolve()})
    check_data(config.data)
    wanted = [stage for stage in build_stages(config) if stage.name in {"untrained", *stages}]
    run_stages(wanted, config, config.out, use_ray=use_ray and config.train.workers > 0)
    return config.out / MODELS


def check_data(data: Path) -> None:
    """Fail in one line, before any worker starts, if a table cannot train anything.

    Raises:
        NotFoundError: No image table.
        DataError: A split without a pair, or no malignant pair to learn from.
    """
    table = ImageTable.open(data)
    pairs = build_pairs(table)
    log.info("data: %d images, %d pairs of FFDM and SM", len(table), len(pairs))
    for split in ("train", "val"):
        if not any(pair.split == split for pair in pairs):
            raise DataError(f"split {split} of the table has no FFDM-SM pair: ingest more exams")
    if not any(pair.malignant for pair in pairs if pair.split == "train"):
        raise DataError("no training pair is malignant: a detector has nothing to learn from")


def build_stages(config: FusionRun) -> list[Stage]:
    """List the stages in the order in which they feed each other."""
    sm: tuple[Kind, ...] = ("sm",)
    ffdm: tuple[Kind, ...] = ("ffdm",)
    pair = sm + ffdm
    return [
        _stage(config, "untrained", sm, _build_detector_task),
        _stage(config, "sm", sm, _build_detector_task),
        _stage(config, "ffdm", ffdm, _build_detector_task),
        _stage(config, "student", pair, _build_student_task),
        _stage(config, "fused", sm, _build_fused_task, "fused"),
        _stage(config, "upper_bound", pair, _build_upper_bound_task, "upper_bound"),
    ]


def _stage(
    config: FusionRun,
    name: str,
    kinds: tuple[Kind, ...],
    build: Callable[[FusionRun, tuple[Kind, ...]], Task],
    meta: Literal["detector", "fused", "upper_bound"] = "detector",
) -> Stage:
    data = config.batches
    if name == "student" and config.distillation.sampler == "uniform":
        data = replace(data, {"sampler.mode": "uniform"})
    steps = config.train.steps.get(name, 0)
    folder = config.out / STAGES / name
    return Stage(
        name=name,
        build=partial(build, config, kinds),
        export=partial(_export, config, name, kinds, meta),
        feed=FeedConfig(config.data, kinds, data, config.seed),
        loop=LoopConfig(steps, config.seed, folder, config.train, config.optimizer),
    )


def _build_detector_task(config: FusionRun, kinds: tuple[Kind, ...]) -> Task:
    return DetectionTask(build_detector(config.detector), kinds, config.loss, config.train)


def _build_student_task(config: FusionRun, kinds: tuple[Kind, ...]) -> Task:
    init = config.distillation.student_init
    origin = {"from_a": "sm", "from_c": "ffdm"}.get(init)
    student = _load(config, origin) if origin else build_detector(config.detector)
    return DistillationTask(student, _load(config, "ffdm"), config.distillation, config.train)


def _build_fused_task(config: FusionRun, kinds: tuple[Kind, ...]) -> Task:
    fused = FusedDetector(_load(config, "sm"), _load(config, "student"), config.fusion)
    return DetectionTask(fused, kinds, config.loss, config.train, frozen=[fused.trunk_b])


def _build_upper_bound_task(config: FusionRun, kinds: tuple[Kind, ...]) -> Task:
    if config.upper_bound_init == "stage_one":
        a, c = _load(config, "sm"), _load(config, "ffdm")
    else:
        a, c = build_detector(config.detector), build_detector(config.detector)
    return DetectionTask(UpperBound(a, c, config.fusion), kinds, config.loss, config.train)


def _load(config: FusionRun, name: str) -> EfficientDet:
    model, _ = load_model(config.out / MODELS / name)
    assert isinstance(model, EfficientDet)
    return model


def _export(
    config: FusionRun,
    name: str,
    kinds: tuple[Kind, ...],
    kind: Literal["detector", "fused", "upper_bound"],
    task: Task,
    folder: Path,
) -> None:
    student = isinstance(task, DistillationTask)
    meta = ModelMeta(
        kind=kind,
        inputs=("sm",) if student else kinds,
        detector=config.detector,
        fusion=config.fusion,
        preprocess=config.batches.preprocess.model_dump(mode="json"),
        licence=_licence(config.data),
        stage=name,
        seed=config.seed,
        notes={"run": fingerprint(config), "steps": str(config.train.steps.get(name, 0))},
    )
    save_model(folder, task.product(), meta)


def _licence(table: Path) -> str:
    """The one licence of all images, or ``other``."""
    tags = set(ImageTable.open(table).index["licence_tag"].to_pylist())
    return tags.pop() or "other" if len(tags) == 1 else "other"
