"""How long and how fast a stage trains; what stage II compares. Light: imports no Torch."""

from typing import Literal

from pydantic import Field

from mgray.config import Config
from mgray.data.config import AugmentConfig
from mgray.metrics.config import BootstrapConfig, HitConfig


class OptimizerConfig(Config):
    """AdamW with warm-up and a schedule (P1-A13: the paper names neither)."""

    learning_rate: float = Field(default=1.5e-4, gt=0)
    """Peak learning rate; 1.5e-4 is the paper's."""
    weight_decay: float = Field(default=1e-4, ge=0)
    """Decoupled; biases and normalisation layers are left out."""
    schedule: Literal["cosine", "one_cycle", "plateau", "constant"] = "cosine"
    """After the warm-up: half a cosine; Torch's OneCycleLR in place of the warm-up too; the peak,
    divided whenever validation stands still; the peak."""
    warmup_steps: int = Field(default=100, ge=0)
    """Steps over which the learning rate rises linearly from zero; one_cycle has its own."""
    final_fraction: float = Field(default=0.01, ge=0, le=1)
    """cosine: learning rate at the last step, as a share of the peak."""
    plateau_factor: float = Field(default=0.1, gt=0, lt=1)
    """plateau: what the rate is multiplied by."""
    plateau_patience: int = Field(default=10, ge=0)
    """plateau: validations in a row without a new best (``train.judge``) that are borne."""
    clip_norm: float | None = Field(default=10.0, gt=0)
    """Largest gradient norm over all trained parameters; null leaves gradients as they are."""
    accumulate: int = Field(default=1, ge=1)
    """Parts into which a worker cuts its share of a batch, one after the other, to save memory. The
    gradient is that of the whole share, but batch norms see one part at a time."""


class AverageConfig(Config):
    """A mean of the weights over the steps, which validation judges and the stage saves.

    The statistics of the batch norms are computed anew for it.
    """

    kind: Literal["none", "ema", "swa"] = "none"
    """ema: exponential moving average; swa: plain mean (arXiv:1803.05407)."""
    decay: float = Field(default=0.999, gt=0, lt=1)
    """ema: share of the old mean at each step; 0.999 remembers about 1000 steps."""
    start: float = Field(default=0.0, ge=0, lt=1)
    """Share of the steps that are over before the first one counts; 0.75 is usual for swa."""
    statistics_steps: int = Field(default=50, ge=1)
    """Training batches that the batch norms see before each judgement of the mean."""


class TrainConfig(Config):
    """What every stage of a run shares: workers, intervals, precision."""

    steps: dict[str, int] = Field(default={})
    """Optimizer steps of each stage, by its name; 0 saves the stage's initial weights."""
    workers: int = Field(default=2, ge=0)
    """DDP workers on Ray Train; 0 runs here, without Ray. Sampling does not depend on it."""
    min_workers: int | None = Field(default=None, ge=1)
    """Workers with which a stage goes on while nodes are missing, and to which it grows back from
    its last resume state when they return; null: it waits for all ``workers``."""
    gpu: bool = False
    """One GPU and NCCL for each worker; else CPU and gloo."""
    cpus_per_worker: float = Field(default=1.0, gt=0)
    """CPUs that Ray sets aside for each worker."""
    threads: int = Field(default=1, ge=1)
    """Torch threads in each worker."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Autocast of the forward pass; losses stay in float32. float16 scales the loss and skips steps
    whose gradient overflows."""
    channels_last: bool = False
    """Weights, too, in the memory order that convolutions like; images always are."""
    compile: Literal["no", "eager", "inductor"] = "no"
    """torch.compile of the networks; eager traces them without making kernels. inductor of Torch
    2.13 failed on a CPU at 128x128, where the coarsest map is one cell; untried on a GPU."""
    average: AverageConfig = AverageConfig()
    """Whether a mean of the weights stands in for the last ones."""
    log_every: int = Field(default=10, ge=1)
    """Steps between two rows of metrics."""
    validate_every: int = Field(default=200, ge=1)
    """Steps between two validations; one comes before the first and one after the last step."""
    checkpoint_every: int = Field(default=200, ge=1)
    """Steps between two resume states: what a dead worker, driver or head node costs."""
    max_failures: int = Field(default=2, ge=0)
    """Worker failures that Ray Train recovers from before the stage fails."""
    judge: Literal["loss", "fauc_1", "fauc_1_plus"] = "loss"
    """What makes one validation better than another: a lower loss, or a higher FAUC-1 on all images
    or on those with a malignant box. Stage II has no boxes and takes its loss."""
    hit: HitConfig = HitConfig()
    """When FAUC-1 counts a box as a hit."""
    intervals: BootstrapConfig = BootstrapConfig(replicates=0)
    """Resamples of the validation patients behind 95 % intervals of the judge's FAUC-1 on positive
    images, in the metrics as val_fauc_1_plus_low and _high; a search stops trials by them."""
    keep: Literal["last", "best"] = "last"
    """Weights that a stage saves: after the last step, or of the best validation."""
    patience: int | None = Field(default=None, ge=1)
    """Validations in a row without a new best after which a stage ends early; null: never."""
    tensorboard: bool = False
    """Write metrics for TensorBoard, too, into the stage's folder."""
    mlflow: str | None = None
    """Tracking URI, e.g. ``sqlite:///mlflow.db``: log metrics to MLflow, too; needs
    ``pip install mgray[mlflow]``."""
    batch_norm: Literal["train", "eval"] = "train"
    """Of the trained parts: ``train`` normalises over each worker's own share of the batch, and the
    running statistics are averaged over workers before each validation and resume state; ``eval``
    keeps the initial statistics, which makes results independent of ``workers``."""
    frozen_batch_norm: Literal["eval", "train"] = "eval"
    """P1-A22: ``eval`` keeps the statistics of frozen networks; ``train`` lets them drift."""
    normaliser: Literal["global", "local"] = "global"
    """P1-A16: the loss is divided by the positive anchors of the global batch + 1 (all-reduced), or
    of each worker's share + 1. Validation always takes the global ones."""


class DistillationConfig(Config):
    """Stage II: B, which sees SM, learns C's representation h of FFDM by ``-cos(z, h)``."""

    projection: Literal["dense", "depthwise"] = "dense"
    """P1-A17: the 3x3 convolution h' -> z of each level, used in stage II only; bias in both."""
    h_location: Literal["bifpn", "after_towers"] = "bifpn"
    """P1-A18: h is the five BiFPN outputs, or the outputs of the heads' shared convolutions (two h
    per level); stage III fuses the BiFPN outputs either way."""
    cosine: Literal["position", "level", "pooled"] = "position"
    """P1-A19: over channels at each position, over a whole level, or over its spatial mean."""
    level_weighting: Literal["equal", "cells"] = "equal"
    """P1-A20: levels count equally, or by their number of positions."""
    student_init: Literal["pretrained", "from_a", "from_c"] = "pretrained"
    """P1-A21: B starts as A and C did (``detector.weights``; COCO in the paper), or from either."""
    augment: AugmentConfig | None = None
    """How far stage II moves and changes its images; null: as the other stages do. It learns from
    every position of many pairs, and has less to fear from knowing them by heart."""
    sampler: Literal["same", "uniform"] = "same"
    """P1-A23: the detectors' balanced sampler, or uniform over all pairs."""
    pairs: Literal["true", "mismatched"] = "true"
    """mismatched: a control, each training SM learns from the FFDM of another pair. Validation
    keeps the true pairs."""
