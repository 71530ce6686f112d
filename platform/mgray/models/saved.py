"""Networks to model folders and back; what only reads of a folder needs no Torch."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from mgray.errors import SchemaError
from mgray.models.efficientdet import EfficientDet
from mgray.models.folder import WEIGHTS, read_meta, verify_model, write_folder
from mgray.models.fused import FusedDetector, UpperBound
from mgray.models.meta import ModelMeta


def save_model(folder: Path, model: nn.Module, meta: ModelMeta) -> None:
    """Write a model folder, as ``write_folder``."""
    state = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    write_folder(folder, meta, lambda path: save_file(state, path, metadata={"format": "pt"}))


def load_model(folder: Path, device: str = "cpu") -> tuple[nn.Module, ModelMeta]:
    """Read a model folder, checking every byte against its checksums.

    Returns:
        The model in evaluation mode; call it with one image batch for each of ``meta.inputs``.

    Raises:
        NotFoundError: No such folder, or a file of it is missing.
        SchemaError: Another format version, or weights of another architecture.
        DataError: A file that is damaged or was changed.
    """
    meta = read_meta(folder)
    verify_model(folder)
    model = build_model(meta)
    try:
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (RuntimeError, SafetensorError):
        raise SchemaError(
            f"{WEIGHTS} in {str(folder)!r} does not fit a {meta.kind} of {meta.detector.name!r}: "
            "train or export the model again"
        ) from None
    return model.to(device).eval(), meta


def build_model(meta: ModelMeta) -> nn.Module:
    """Make an untrained model of the shape a model folder describes."""
    detector = EfficientDet(meta.detector)
    if meta.kind == "detector":
        return detector
    kind = FusedDetector if meta.kind == "fused" else UpperBound
    return kind(detector, detector, meta.fusion)
