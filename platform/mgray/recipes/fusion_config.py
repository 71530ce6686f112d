"""The recipes of P1 as configs: what ``python -m jobs.train fusion.NAME`` starts from.

Light: imports no Torch. The paper gives alpha, gamma and the learning rate; its open questions are
``P1-A...`` (docs/PAPERS.md 1), each a field with that default.
"""

from pathlib import Path
from typing import Final, Literal

from pydantic import Field, model_validator

from mgray.config import Config, replace
from mgray.data.config import AugmentConfig, DataConfig, PreprocessConfig
from mgray.models.config import (
    LABELS,
    DetectorConfig,
    FusionConfig,
    LossConfig,
    PostprocessConfig,
)
from mgray.training.config import DistillationConfig, OptimizerConfig, TrainConfig

TRAINED: Final = ("sm", "ffdm", "student", "fused", "upper_bound")


class FusionRun(Config):
    """One full run of the paper's five stages."""

    data: Path = Path("data/table")
    """Image table, as ``jobs.ingest`` writes it: a folder, or a URI like s3://bucket/table."""
    out: Path = Path("runs/fusion")
    """Run folder: ``models/``, ``stages/``, ``config.resolved.yaml``, ``run.json``."""
    seed: int = Field(default=0, ge=0)
    """Of new weights, sampling and augmentation; nothing else is random."""
    detector: DetectorConfig = DetectorConfig()
    """A, B and C."""
    batches: DataConfig = DataConfig()
    loss: LossConfig = LossConfig()
    distillation: DistillationConfig = DistillationConfig()
    fusion: FusionConfig = FusionConfig()
    upper_bound_init: Literal["stage_one", "pretrained"] = "stage_one"
    """UB starts from the trained A and C, or as they once did; the paper says "end to end" only."""
    postprocess: PostprocessConfig = PostprocessConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    train: TrainConfig = TrainConfig()

    @model_validator(mode="after")
    def _fits(self) -> "FusionRun":
        names, size = set(self.train.steps), self.batches.global_batch_size
        if names != set(TRAINED):
            raise ValueError(f"train.steps needs the stages {', '.join(TRAINED)}")
        if self.detector.classes > len(LABELS):
            raise ValueError(
                f"detector.classes={self.detector.classes}: expected 2 ({' and '.join(LABELS)}) "
                f"or 1 ({LABELS[-1]} only)"
            )
        if self.batches.sampler.mode == "weighted":
            raise ValueError("sampler.mode=weighted is for classifiers; use match or uniform")
        fewest, most = self.train.min_workers, self.train.workers
        if fewest is not None and fewest > most:
            raise ValueError(f"train.min_workers={fewest}: expected at most train.workers={most}")
        if size < self.train.workers:
            raise ValueError(
                f"global_batch_size={size} leaves some of train.workers={self.train.workers} idle"
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
            preprocess=PreprocessConfig(net_height=2944, net_width=1920, margin_px=50),
            threads=6,
        ),
        train=TrainConfig(
            steps=dict.fromkeys(TRAINED, 20_000),
            workers=8,
            gpu=True,
            precision="bfloat16",
            log_every=50,
            validate_every=1000,
            checkpoint_every=500,
            keep="best",
            judge="fauc_1",
        ),
    )


def tiny() -> FusionRun:
    """The experiment's scale on a CPU: ``python -m jobs.experiment fusion.tiny out=DIR``.

    Few patients have boxes, all pairs serve stage II. The stages that learn boxes move and change
    their images far more than elsewhere, as A would else know its few by heart, and stage III have
    nothing to learn from. One process and one thread a run, so that several share a machine.
    """
    return replace(
        smoke(),
        {
            "batches.global_batch_size": 16,
            "batches.preprocess.fit": "stretch",
            "batches.preprocess.net_height": 128,
            "batches.boxed_share": 0.01,
            "batches.augment.shift": 0.1,
            "batches.augment.scale": 0.2,
            "batches.augment.rotation": 20.0,
            "batches.augment.gain": 0.3,
            "batches.augment.bias": 0.3,
            "distillation.augment": AugmentConfig(),
            "distillation.sampler": "uniform",
            "distillation.student_init": "from_c",
            "postprocess.candidates": 500,
            "optimizer.warmup_steps": 10,
            "train.steps": {
                "sm": 700, "ffdm": 700, "student": 800, "fused": 150, "upper_bound": 150
            },
            "train.channels_last": True,
            "train.workers": 0,
            "train.judge": "fauc_1_plus",
            "train.hit.min_radius_mm": 7.0,
            "train.validate_every": 250,
            "train.checkpoint_every": 1000,
        },
    )  # fmt: skip


def phantom() -> FusionRun:
    """The experiment on one GPU: ``python -m jobs.experiment fusion.phantom out=DIR``."""
    return replace(
        tiny(),
        {
            "detector.norm_momentum": 0.03,
            "batches.global_batch_size": 32,
            "batches.preprocess.net_height": 512,
            "batches.preprocess.net_width": 256,
            "batches.threads": 6,
            "distillation.student_init": "pretrained",
            "optimizer.learning_rate": 1e-3,
            "optimizer.warmup_steps": 100,
            "train.steps": {
                "sm": 1500, "ffdm": 1500, "student": 3000, "fused": 750, "upper_bound": 1000
            },
            "train.gpu": True,
            "train.precision": "bfloat16",
            "train.threads": 4,
            "train.validate_every": 250,
            "train.checkpoint_every": 500,
        },
    )  # fmt: skip


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
            # the demo was sized with letterbox, which spares its few pixels the distortion
            preprocess=PreprocessConfig(net_height=256, net_width=128, fit="letterbox"),
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
