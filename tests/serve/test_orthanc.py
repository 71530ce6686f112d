"""A real Orthanc: a study sent to it is forwarded, answered, and the report is in it afterwards."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from mgray.recipes.listen import ListenConfig, listening
from tests.debian import find_or_install
from tests.nodes import free_port

pytestmark = [pytest.mark.ray, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
PLUGINS = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
PACKAGES = ("orthanc", "orthanc-dicomweb")
STUDY = {
    "StudyInstanceUID": "1.2.3",
    "SeriesInstanceUID": "1.2.3.4",
    "PatientID": "P1",
    "StudyDate": "20240131",
    "StudyTime": "101010",
}


def find_orthanc():
    found = shutil.which("Orthanc", path=f"{os.environ['PATH']}:/usr/sbin")
    return found if Path(PLUGINS).exists() else None


@pytest.fixture(scope="module")
def program():
    """Orthanc, installed by apt-get where that is allowed."""
    found = find_or_install(find_orthanc, *PACKAGES)
    if found is None:
        pytest.skip(f"no Orthanc here, and apt-get install {' '.join(PACKAGES)} is not possible")
    return found


@pytest.fixture(scope="module")
def orthanc(program, endpoint, tmp_path_factory):
    """A running Orthanc that forwards mammograms to the listener; its client."""
    folder = tmp_path_factory.mktemp("orthanc")
    http, listener = free_port(), free_port()
    deploy = ROOT / "deploy" / "orthanc"
    settings = json.loads((deploy / "orthanc.json").read_text())
    ours = settings["DicomWeb"]["Servers"]["mgray"]
    ours["Url"] = endpoint
    ours["HttpHeaders"]["Authorization"] = f"Bearer {os.environ['MGRAY_TOKEN']}"
    settings["DicomModalities"]["mgray"][2] = listener
    settings |= {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "HttpPort": http,
        "DicomPort": free_port(),
        "LuaScripts": [str(deploy / "forward.lua")],
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    address = f"http://127.0.0.1:{http}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, folder / "orthanc.json"], stdout=log, stderr=log)
    config = ListenConfig(results=f"{address}/dicom-web", endpoint=endpoint, port=listener)
    try:
        with httpx.Client(base_url=address, timeout=30) as client, listening(config):
            wait_for(lambda: answers(client), "Orthanc to start")
            yield client
    finally:
        process.terminate()
        process.wait(timeout=30)


def answers(client):
    try:
        return client.get("/system").status_code == 200
    except httpx.TransportError:
        return False


def wait_for(there, what):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := there():
            return found
        time.sleep(0.1)
    return pytest.fail(f"waited a minute for {what}")


def modalities(client):
    return sorted(
        client.get(f"/series/{name}").json()["MainDicomTags"]["Modality"]
        for name in client.get("/series").json()
    )


def states(client):
    names = client.get("/jobs").json()
    return [client.get(f"/jobs/{name}").json()["State"] for name in names]


def test_a_study_sent_to_orthanc_is_answered_and_the_reports_are_in_it(orthanc, make_dicom):
    for number, side in ((1, "L"), (2, "R")):
        told = STUDY | {"SOPInstanceUID": f"1.2.3.4.{number}", "ImageLaterality": side}
        orthanc.post("/instances", content=make_dicom(number, **told)).raise_for_status()
    wait_for(lambda: modalities(orthanc).count("SR") == 2, "two reports")
    (study,) = orthanc.get("/studies").json()
    told = orthanc.get(f"/studies/{study}").json()
    assert told["PatientMainDicomTags"]["PatientID"] == "P1"
    assert modalities(orthanc) == ["MG", "SR", "SR"]


def test_reports_are_not_forwarded_again(orthanc, make_dicom):
    wait_for(lambda: modalities(orthanc).count("SR") == 2, "two reports")
    wait_for(lambda: "Running" not in states(orthanc), "the forwarding to end")
    assert states(orthanc) == ["Success"] * 2


def test_orthanc_sends_a_study_by_stow_too(orthanc, archive, make_dicom):
    wait_for(lambda: modalities(orthanc).count("SR") == 2, "two reports")
    archive.stored.clear()
    series = [
        name
        for name in orthanc.get("/series").json()
        if orthanc.get(f"/series/{name}").json()["MainDicomTags"]["Modality"] == "MG"
    ]
    body = {"Resources": series, "Synchronous": True}
    reply = orthanc.post("/dicom-web/servers/mgray/stow", json=body)
    assert reply.status_code == 200, reply.text
    assert len(archive.stored) == 1
