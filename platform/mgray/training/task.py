"""A task is a module whose ``forward(batch)`` returns named losses; frozen parts live inside it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mgray.data.batches import Batch
from mgray.errors import SchemaError
from mgray.models.config import LABELS, LossConfig
from mgray.models.efficientdet import EfficientDet
from mgray.models.fused import FusedDetector, UpperBound
from mgray.models.losses import target_loss
from mgray.models.matching import Targets, assign_targets
from mgray.models.outputs import Outputs
from mgray.training.collective import sum_over_workers, world_size
from mgray.training.config import DistillationConfig, TrainConfig
from mgray.training.representation import Representation, build_projections, similarity


class Task(nn.Module, ABC):
    """Base of all tasks: what is frozen stays as it is, bit by bit.

    Args:
        config: How batch norms behave while training.
    """

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self.config = config
        self._frozen: list[nn.Module] = []

    def freeze(self, *parts: nn.Module) -> None:
        """Take parts out of training: no gradients, no DDP, no resume state (P1-A22).

        The statistics of batch norms that may drift are kept in the resume state all the same.
        """
        for part in parts:
            part.requires_grad_(requires_grad=False)
        self._frozen += parts
        self.train(self.training)

    def train(self, mode: bool = True) -> "Task":
        """Set the mode of what is trained; frozen parts, and batch norms if asked for, stay."""
        super().train(mode)
        if self.config.batch_norm == "eval":
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        for part in self._frozen:
            part.train(mode and self.config.frozen_batch_norm == "train")
        return self

    def frozen_names(self) -> list[str]:
        """Names of the parameters and buffers that stay as they are, as in ``state_dict``."""
        drifting = self.config.frozen_batch_norm == "train"
        frozen = {id(p) for part in self._frozen for p in part.parameters()}
        frozen |= {id(b) for part in self._frozen for b in part.buffers() if not drifting}
        named = [*self.named_parameters(), *self.named_buffers()]
        return [name for name, tensor in named if id(tensor) in frozen]

    def live_state(self) -> dict[str, Tensor]:
        """Return the state of all that is not frozen."""
        frozen = set(self.frozen_names())
        return {name: value for name, value in self.state_dict().items() if name not in frozen}

    @abstractmethod
    def product(self) -> nn.Module:
        """Return the model that this task makes."""

    @abstractmethod
    def networks(self) -> list[nn.Module]:
        """Return the parts worth compiling: all but what depends on the findings."""

    @abstractmethod
    def normaliser(self, batch: Batch) -> Tensor:
        """Return what a batch's losses are divided by; parts of it are given the whole's."""

    def load_live_state(self, state: dict[str, Tensor]) -> None:
        """Load what ``live_state`` returned.

        Raises:
            SchemaError: The state of another task.
        """
        found = self.load_state_dict(state, strict=False)
        if found.unexpected_keys or set(found.missing_keys) - set(self.frozen_names()):
            raise SchemaError(
                "the resume state belongs to another network: "
                "remove the stage's folder to train it again"
            )


class DetectionTask(Task):
    """Stages I-A, I-C, III and UB: find lesions in the frame of the first input.

    Args:
        model: Takes the images of ``inputs`` in order.
        inputs: Kinds of image: ``sm``, ``ffdm``.
        loss: Focal and box loss.
        config: How batch norms and the normaliser behave.
        frozen: Parts of ``model`` that do not learn: B in stage III.
    """

    def __init__(
        self,
        model: EfficientDet | FusedDetector | UpperBound,
        inputs: Sequence[str],
        loss: LossConfig,
        config: TrainConfig,
        frozen: Sequence[nn.Module] = (),
    ) -> None:
        super().__init__(config)
        self.model, self.inputs, self.loss = model, tuple(inputs), loss
        self.freeze(*frozen)

    def forward(self, batch: Batch, normaliser: Tensor | None = None) -> dict[str, Tensor]:
        """Return ``loss``, ``class_loss`` and ``box_loss``.

        Args:
            batch: One worker's share of a step, or a part of it.
            normaliser: Of the whole share, if ``batch`` is a part.
        """
        return self.losses(batch, self.predict(batch), normaliser)

    def predict(self, batch: Batch) -> Outputs:
        """Run the network."""
        outputs: Outputs = self.model(*(batch.images[kind] for kind in self.inputs))
        return outputs

    def losses(
        self, batch: Batch, outputs: Outputs, normaliser: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Compare predictions with the batch's findings."""
        targets = self._targets(batch)
        whole = self._normaliser(targets) if normaliser is None else normaliser
        return target_loss(outputs, targets, self.loss, whole)

    def normaliser(self, batch: Batch) -> Tensor:
        """Return the positive anchors + 1 of all workers' shares per worker, or of this one's."""
        return self._normaliser(self._targets(batch))

    def networks(self) -> list[nn.Module]:
        """Return the detector."""
        return [self.model]

    def product(self) -> nn.Module:
        """Return the detector."""
        return self.model

    def _findings(self, batch: Batch) -> tuple[list[Tensor], list[Tensor]]:
        """Boxes, and which logit each belongs to: the last ones of ``LABELS`` (P1-A8)."""
        left_out = max(len(LABELS) - self.model.config.classes, 0)
        boxes = zip(batch.boxes[self.inputs[0]], batch.labels, strict=True)
        kept = [(box[label >= left_out], label[label >= left_out]) for box, label in boxes]
        return [box for box, _ in kept], [label - left_out for _, label in kept]

    def _targets(self, batch: Batch) -> Targets:
        anchors = self.model.anchors(*batch.images[self.inputs[0]].shape[-2:])
        return assign_targets(anchors, *self._findings(batch), batch.masked)

    def _normaliser(self, targets: Targets) -> Tensor:
        if self.training and self.config.normaliser == "local":
            return targets.positives() + 1.0
        return (sum_over_workers(targets.positives()) + 1.0) / world_size()


class DistillationTask(Task):
    """Stage II: B sees SM and learns the representation that the frozen C has of the paired FFDM.

    Args:
        student: B.
        teacher: C.
        distillation: What is compared, and how.
        config: How batch norms behave.
    """

    def __init__(
        self,
        student: EfficientDet,
        teacher: EfficientDet,
        distillation: DistillationConfig,
        config: TrainConfig,
    ) -> None:
        super().__init__(config)
        self.distillation = distillation
        self.student = Representation(student, distillation.h_location)
        self.teacher = Representation(teacher, distillation.h_location)
        self.projections = build_projections(student.config, distillation)
        self.freeze(self.teacher, *self.student.unused())

    def forward(self, batch: Batch, normaliser: Tensor | None = None) -> dict[str, Tensor]:
        """Return ``similarity``, the mean cosine of z and h, and ``loss``, its negative.

        Args:
            batch: One worker's share of a step, or a part of it.
            normaliser: Of the whole share, if ``batch`` is a part; then the mean is this part's
                contribution to it.
        """
        with torch.no_grad():
            wanted = self.teacher(batch.images["ffdm"])
        seen = self.student(batch.images["sm"])
        projected = [project(maps) for project, maps in zip(self.projections, seen, strict=True)]
        whole = self.normaliser(batch) if normaliser is None else normaliser
        mean = similarity(projected, wanted, self.distillation) * (len(batch.positive) / whole)
        return {"loss": -mean, "similarity": mean}

    def normaliser(self, batch: Batch) -> Tensor:
        """Return the number of images of all workers' shares per worker."""
        own = torch.tensor(float(len(batch.positive)), device=batch.positive.device)
        return sum_over_workers(own) / world_size()

    def networks(self) -> list[nn.Module]:
        """Return B and C."""
        return [self.student, self.teacher]

    def product(self) -> nn.Module:
        """Return B, without the projections."""
        return self.student.detector
