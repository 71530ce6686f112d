"""How long and how fast a stage trains; what stage II compares. Light: imports no Torch."""

from typing import Literal

from pydantic import Field

from mgray.config import Config


class OptimizerConfig(Config):
    """AdamW with linear warm-up and cosine decay (P1-A13: the paper names neither)."""

    learning_rate: float = Field(default=1.5e-4, gt=0)
    """Peak learning rate; 1.5e-4 is the paper's."""
    weight_decay: float = Field(default=1e-4, ge=0)
    """Decoupled; biases and normalisation layers are left out."""
    warmup_steps: int = Field(default=100, ge=0)
    """Steps over which the learning rate rises linearly from zero."""
    final_fraction: float = Field(default=0.01, ge=0, le=1)
    """Learning rate at the last step, as a share of the peak."""
    clip_norm: float = Field(default=10.0, gt=0)
    """Largest gradient norm over all trained parameters."""


class TrainConfig(Config):
    """What every stage of a run shares: workers, intervals, precision."""

    steps: dict[str, int] = Field(default={})
    """Optimizer steps of each stage, by its name; 0 saves the stage's initial weights."""
    workers: int = Field(default=2, ge=0)
    """DDP workers on Ray Train; 0 runs here, without Ray. Sampling does not depend on it."""
    gpu: bool = False
    """One GPU and NCCL for each worker; else CPU and gloo."""
    cpus_per_worker: float = Field(default=1.0, gt=0)
    """CPUs that Ray sets aside for each worker."""
    threads: int = Field(default=1, ge=1)
    """Torch threads in each worker."""
    amp: bool = False
    """bfloat16 autocast in the forward pass; losses stay in float32."""
    log_every: int = Field(default=10, ge=1)
    """Steps between two rows of metrics."""
    validate_every: int = Field(default=200, ge=1)
    """Steps between two validations; one comes before the first and one after the last step."""
    checkpoint_every: int = Field(default=200, ge=1)
    """Steps between two resume states: what a dead worker, driver or head node costs."""
    max_failures: int = Field(default=2, ge=0)
    """Worker failures that Ray Train recovers from before the stage fails."""
    keep: Literal["last", "best"] = "last"
    """Weights that a stage saves: after the last step, or of the lowest validation loss."""
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
    sampler: Literal["same", "uniform"] = "same"
    """P1-A23: the detectors' balanced sampler, or uniform over all pairs."""
