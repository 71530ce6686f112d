"""Another version answers, without a request that fails; a bad one never does."""

import os
import shutil
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import torch

from mgray.config import build
from mgray.errors import ConfigError, DataError, MgrayError
from mgray.models.folder import model_sha256
from mgray.models.saved import load_model, save_model
from mgray.models.shelf import Shelf
from mgray.recipes.serve_update import ServeUpdateConfig, run_serve_update

pytestmark = pytest.mark.ray


@pytest.fixture
def update(endpoint, models):
    """Change the version, and back to the first one at the end."""

    def run(version, source=None):
        told = {"models": models, "name": "fused", "version": version, "source": source}
        run_serve_update(ServeUpdateConfig(**told, url=endpoint))

    yield run
    Shelf(models).choose("fused", "1")


@pytest.fixture(scope="module")
def second(models, other_model):
    """A second version that nobody has chosen."""
    folder = Shelf(models).add("fused", "second", other_model)
    yield folder
    shutil.rmtree(folder)


def test_models_and_versions_are_listed(client, second):
    (listed,) = client.get("/v1/models").json()
    assert (listed["name"], listed["current"]) == ("fused", "1")
    assert "1" in listed["versions"]


def test_a_new_version_answers_and_no_request_fails(
    client, detect, update, other_model, make_dicom
):
    """Four clients ask all the while: first one model answers, then the other, and always one."""
    body, over, told = make_dicom(), threading.Event(), []
    head = {"Content-Type": "application/dicom", **client.headers}

    def ask():
        with httpx.Client(base_url=client.base_url, headers=head, timeout=60) as mine:
            while not over.is_set():
                answer = mine.post("/v1/detect", content=body)
                told.append((answer.status_code, answer.json().get("model", {}).get("version")))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        update("new", other_model)
        while "new" not in {version for _, version in told[-4:]} and len(told) < 5000:
            over.wait(0.1)
        update("1")
        while {version for _, version in told[-12:]} != {"1"} and len(told) < 5000:
            over.wait(0.1)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert Counter(status for status, _ in told) == {200: len(told)}
    versions = [version for _, version in told]
    assert set(versions) == {"1", "new"}
    assert versions[-1] == "1"


def test_two_versions_at_once_give_each_its_own_answer(client, make_dicom, second, model_folder):
    body, head = make_dicom(), {"Content-Type": "application/dicom"}

    def ask(version):
        return client.post("/v1/detect", content=body, headers=head, params={"version": version})

    with ThreadPoolExecutor(6) as pool:
        ask("second")  # within a second of being added it may not be known
        answers = list(pool.map(ask, ["1", "second"] * 4))
    for answer, folder in zip(answers, [model_folder, second] * 4, strict=True):
        if answer.status_code == 404:
            continue
        assert answer.json()["model"]["sha256"] == model_sha256(folder)
    assert {answer.status_code for answer in answers[::2]} == {200}


def test_an_unknown_version_is_404(client):
    answer = client.post("/v1/detect", content=b"x", params={"version": "none"})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_model")


def test_a_damaged_version_is_refused_and_the_old_one_stays(update, other_model, models, tmp_path):
    damaged = shutil.copytree(other_model, tmp_path / "damaged")
    with (damaged / "model.safetensors").open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"\xff\xff\xff\x7f")
    with pytest.raises(DataError, match="does not match SHA256SUMS"):
        update("bad", damaged)
    assert Shelf(models).versions()["fused"].count("bad") == 0
    assert Shelf(models).current("fused") == "1"


def test_a_version_that_answers_nonsense_is_refused_and_taken_away(
    update, other_model, models, tmp_path
):
    model, meta = load_model(other_model)
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    save_model(tmp_path / "nan", model, meta)
    with pytest.raises(DataError, match="weights that are no numbers"):
        update("bad", tmp_path / "nan")
    assert "bad" not in Shelf(models).versions()["fused"]
    assert Shelf(models).current("fused") == "1"


def test_a_bad_version_that_was_chosen_by_hand_does_not_answer(
    client, detect, update, models, other_model, make_dicom
):
    """Whoever writes the file without the tests still hurts nobody."""
    before = detect(make_dicom()).json()
    folder = Shelf(models).add("fused", "byhand", other_model)
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"\xff\xff\xff\x7f")
    Shelf(models).choose("fused", "byhand")
    threading.Event().wait(1.1)
    after = detect(make_dicom())
    shutil.rmtree(folder)
    assert after.status_code == 200
    assert after.json()["model"] == before["model"]
    assert after.json()["images"][0]["detections"] == before["images"][0]["detections"]


def test_a_version_may_be_a_whole_number_but_no_fraction(models):
    told = {"models": models, "name": "fused"}
    assert build(ServeUpdateConfig, {**told, "version": 2}).version == "2"
    with pytest.raises(ConfigError, match=r"version=1.1: expected a name: put a letter"):
        build(ServeUpdateConfig, {**told, "version": 1.1})


def test_an_endpoint_that_does_not_answer_refuses(models, other_model):
    told = {"models": models, "name": "fused", "version": "9", "source": other_model}
    with pytest.raises(MgrayError, match="does not answer"):
        run_serve_update(ServeUpdateConfig(**told, url="http://127.0.0.1:9"))
    assert not Path(models / "fused" / "9").exists()


def test_a_version_whose_test_is_interrupted_is_taken_away(
    update, other_model, models, monkeypatch
):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("mgray.inference.smoke.smoke_test", interrupted)
    with pytest.raises(KeyboardInterrupt):
        update("half", other_model)
    assert "half" not in Shelf(models).versions()["fused"]
