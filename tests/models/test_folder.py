import hashlib
import json
import os
from pathlib import Path

import pytest
import yaml

from mgray.config import build
from mgray.errors import ConfigError, DataError, NotFoundError, SchemaError
from mgray.models.efficientdet import EfficientDet
from mgray.models.folder import ModelMeta, model_sha256, update_meta
from mgray.models.saved import load_model, save_model


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_folder_holds_four_files(saved: Path) -> None:
    names = {path.name for path in saved.iterdir()}
    assert names == {"model.safetensors", "config.json", "README.md", "SHA256SUMS"}


def test_checksums_are_those_of_sha256sum(saved: Path) -> None:
    for line in (saved / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((saved / name).read_bytes()).hexdigest() == digest


def test_a_models_identity_is_the_hash_of_its_weights(saved: Path) -> None:
    digest = hashlib.sha256((saved / "model.safetensors").read_bytes()).hexdigest()
    assert model_sha256(saved) == digest


def test_equal_weights_have_equal_identities(
    saved: Path, detector: EfficientDet, tmp_path: Path, meta: ModelMeta
) -> None:
    save_model(tmp_path / "again", detector, meta.model_copy(update={"stage": "ffdm"}))
    assert model_sha256(tmp_path / "again") == model_sha256(saved)


def test_the_card_opens_with_a_hugging_face_header(saved: Path) -> None:
    _, head, body = (saved / "README.md").read_text().split("---\n", 2)
    header = yaml.safe_load(head)
    assert header["license"] == "apache-2.0"
    assert header["pipeline_tag"] == "object-detection"
    assert "not a medical device" in body
    assert model_sha256(saved) in body


def test_saving_again_replaces_the_folder(
    saved: Path, other: EfficientDet, meta: ModelMeta
) -> None:
    before = model_sha256(saved)
    save_model(saved, other, meta)
    load_model(saved)
    assert model_sha256(saved) != before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_thresholds_can_be_added_without_touching_the_weights(saved: Path, meta: ModelMeta) -> None:
    before = model_sha256(saved)
    update_meta(saved, meta.model_copy(update={"thresholds": {"fppi_1": 0.5}}))
    assert load_model(saved)[1].thresholds == {"fppi_1": 0.5}
    assert model_sha256(saved) == before


@pytest.mark.parametrize("last", ["config.json", "README.md", "SHA256SUMS"])
def test_an_update_that_is_cut_off_leaves_the_old_folder_whole(
    saved: Path, last: str, monkeypatch: pytest.MonkeyPatch, meta: ModelMeta
) -> None:
    write = Path.write_text

    def killed(path: Path, text: str) -> int:
        if path.name == last:
            raise KeyboardInterrupt
        return write(path, text)

    monkeypatch.setattr(Path, "write_text", killed)
    with pytest.raises(KeyboardInterrupt):
        update_meta(saved, meta.model_copy(update={"thresholds": {"fppi_1": 0.5}}))
    assert load_model(saved)[1] == meta


def test_an_update_leaves_nothing_beside_the_folder(saved: Path, meta: ModelMeta) -> None:
    update_meta(saved, meta.model_copy(update={"seed": 8}))
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_folder_behind_a_link_is_updated_where_it_lies(
    saved: Path, tmp_path: Path, meta: ModelMeta
) -> None:
    (tmp_path / "link").symlink_to(saved)
    update_meta(tmp_path / "link", meta.model_copy(update={"seed": 8}))
    assert (tmp_path / "link").is_symlink()
    assert load_model(saved)[1].seed == 8


def test_a_storage_without_links_gets_a_copy(
    saved: Path, monkeypatch: pytest.MonkeyPatch, meta: ModelMeta
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    update_meta(saved, meta.model_copy(update={"seed": 8}))
    assert load_model(saved)[1].seed == 8


def test_a_missing_folder_is_one_line(folder: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no model folder '.*model'"):
        load_model(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "SHA256SUMS"])
def test_a_missing_file_is_one_line(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(NotFoundError, match=f"has no {name}: copy it again"):
        load_model(saved)


def test_an_identity_needs_weights(folder: Path) -> None:
    with pytest.raises(NotFoundError, match=r"has no model\.safetensors"):
        model_sha256(folder)


@pytest.mark.parametrize("version", ["2", 1, None])
def test_another_format_version_is_one_line(saved: Path, version: object) -> None:
    edit(saved / "config.json", format_version=version)
    with pytest.raises(SchemaError, match=f"format version {version}, expected 1"):
        load_model(saved)


def test_a_key_from_another_version_is_one_line(saved: Path) -> None:
    edit(saved / "config.json", colour="blue")
    with pytest.raises(SchemaError, match=r"config\.json in .*: unknown key 'colour'"):
        load_model(saved)


@pytest.mark.parametrize("text", ["{", "[]", "\x00"])
def test_a_damaged_config_is_one_line(saved: Path, text: str) -> None:
    (saved / "config.json").write_text(text)
    with pytest.raises(DataError, match=r"config\.json in .* is damaged"):
        load_model(saved)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "README.md"])
def test_one_changed_byte_is_noticed(saved: Path, name: str) -> None:
    data = bytearray((saved / name).read_bytes())
    data[-2] ^= 1 if name == "model.safetensors" else 0
    (saved / name).write_bytes(bytes(data) if name == "model.safetensors" else bytes(data) + b" ")
    with pytest.raises(DataError, match=f"{name} in .* does not match SHA256SUMS"):
        load_model(saved)


def test_truncated_weights_are_noticed(saved: Path) -> None:
    os.truncate(saved / "model.safetensors", 1000)
    with pytest.raises(DataError, match=r"model\.safetensors in .* does not match"):
        load_model(saved)


def test_a_folder_needs_a_known_kind(meta: ModelMeta) -> None:
    with pytest.raises(ConfigError, match="kind='teacher'"):
        build(ModelMeta, meta.model_dump() | {"kind": "teacher"})
