"""P1: detectors of SM and FFDM, a student of FFDM's representation on SM, fusion, upper bound.

::

    untrained   A before its first step
    sm          I-A   A on SM
    ffdm        I-C   C on FFDM
    student     II    B on SM learns C's representation of the paired FFDM
    fused       III   A and B side by side on SM; A and the predictor learn, B does not
    upper_bound UB    A and C side by side on SM and FFDM, all learn; boxes in the SM's frame

References:
    docs/PAPERS.md 1.3 to 1.5.
"""

import logging
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Literal

from mgray.config import fingerprint, replace
from mgray.data.config import DataConfig
from mgray.data.domain import measure_domain
from mgray.data.pairs import build_pairs
from mgray.data.storage import absolute
from mgray.data.subset import with_boxes
from mgray.data.table import ImageTable, read_content
from mgray.data.telling import telling_rows
from mgray.data.transforms import check_record
from mgray.errors import DataError
from mgray.licence import tags_of
from mgray.models.config import LABELS
from mgray.models.efficientdet import EfficientDet, build_detector
from mgray.models.folder import seen_licences
from mgray.models.fused import FusedDetector, UpperBound
from mgray.models.meta import ModelMeta
from mgray.models.saved import load_model, save_model
from mgray.recipes.fusion_config import TRAINED, FusionRun, base, smoke
from mgray.training.feed import FeedConfig
from mgray.training.journal import steps_done
from mgray.training.loop import LoopConfig
from mgray.training.run import run_stages
from mgray.training.stages import MODELS, STAGES, Stage
from mgray.training.task import DetectionTask, DistillationTask, Task

__all__ = [
    "TRAINED",
    "FusionRun",
    "base",
    "build_stages",
    "check_data",
    "run_fusion",
    "smoke",
]

log = logging.getLogger(__name__)

Kind = Literal["sm", "ffdm"]


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
        ConfigError: ``out`` holds a run of another config, or on other data.
    """
    config = config.model_copy(update={"data": absolute(config.data), "out": config.out.resolve()})
    check_data(config.data, config.batches)
    wanted = [stage for stage in build_stages(config) if stage.name in {"untrained", *stages}]
    content, on_ray = read_content(config.data), use_ray and config.train.workers > 0
    run_stages(wanted, config, config.out, content, use_ray=on_ray)
    return config.out / MODELS


def check_data(data: Path, batches: DataConfig) -> None:
    """Fail in one line, before any worker starts, if a table cannot train anything.

    Args:
        data: Image table.
        batches: What is made of it.

    Raises:
        NotFoundError: No image table.
        DataError: Images that ``transforms.check_record`` refuses, a split without a pair, or no
            malignant box to learn from.
    """
    table, partner_findings = ImageTable.open(data), batches.partner_findings
    pairs = build_pairs(table)
    paired = [row for pair in pairs for row in pair.rows.values()]
    for row in telling_rows(table.index, paired, batches.preprocess).to_pylist():
        check_record(row, batches.preprocess)
    log.info("data: %d images, %d pairs of FFDM and SM", len(table), len(pairs))
    lopsided = sum(len(pair.drawn) == 1 for pair in pairs)
    if lopsided:
        fate = "carried over to" if partner_findings else "unknown in"
        log.info("%d pairs have malignant boxes on one image only: %s the other", lopsided, fate)
    for split in ("train", "val"):
        if not any(pair.split == split for pair in pairs):
            raise DataError(f"split {split} of the table has no FFDM-SM pair: ingest more exams")
    train = [pair for pair in pairs if pair.split == "train"]
    train = with_boxes(train, batches.boxed_share, batches.boxed_seed)
    if not any(pair.malignant for pair in train):
        raise DataError("no training pair is malignant: a detector has nothing to learn from")
    for kind in ("sm", "ffdm"):
        if not any(pair.drawn if partner_findings else kind in pair.drawn for pair in train):
            where = "training image" if partner_findings else f"{kind.upper()} for training"
            raise DataError(f"no {where} has a malignant box: a detector has nothing to learn from")


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
    data, student = config.batches, name == "student"
    if student:
        data = replace(data, {"boxed_share": 1.0})
    if student and config.distillation.sampler == "uniform":
        data = replace(data, {"sampler.mode": "uniform"})
    if student and config.distillation.augment is not None:
        data = data.model_copy(update={"augment": config.distillation.augment})
    mismatched = student and config.distillation.pairs == "mismatched"
    steps = config.train.steps.get(name, 0)
    folder = config.out / STAGES / name
    return Stage(
        name=name,
        build=partial(build, config, kinds),
        export=partial(_export, config, name, kinds, meta),
        feed=FeedConfig(config.data, kinds, data, config.seed, mismatched),
        loop=LoopConfig(
            steps, config.seed, folder, config.train, config.optimizer, config.postprocess
        ),
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
    inputs: tuple[Kind, ...] = ("sm",) if isinstance(task, DistillationTask) else kinds
    licences = _licences(config.data, config.detector.weights)
    journal = config.out / STAGES / name / "metrics.jsonl"
    meta = ModelMeta(
        kind=kind,
        inputs=inputs,
        detector=config.detector,
        fusion=config.fusion,
        labels=LABELS[-config.detector.classes :],
        preprocess=config.batches.preprocess.model_dump(mode="json"),
        postprocess=config.postprocess,
        domain=measure_domain(ImageTable.open(config.data), inputs[0]),
        licence=licences[0] if len(licences) == 1 else "other",
        data_licences=licences,
        stage=name,
        seed=config.seed,
        notes={"run": fingerprint(config), "steps": str(steps_done(journal))},
    )
    save_model(folder, task.product(), meta)


def _licences(table: Path, weights: str) -> tuple[str, ...]:
    """List the licence tags of all images, and of those that the first weights have seen."""
    tags = ImageTable.open(table).index["licence_tag"].unique().to_pylist()
    return tags_of(*tags, *seen_licences(weights))
