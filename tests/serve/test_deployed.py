"""A deployment as the manual says: a Ray head, ``serve deploy`` of our config, TLS, scaling."""

import os
import secrets
import shlex
import ssl
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
import yaml

from mgray.models.shelf import Shelf
from serve.gate import REFUSED
from tests.console import ROOT, run_job
from tests.nodes import free_port, ray_head, wait_for
from tests.serve.conftest import save_random_model
from tests.serve.test_manual import commands

CLIENTS = 16
ONE = {"min_replicas": 1, "max_replicas": 1}
QUICK = {
    "min_replicas": 1, "max_replicas": 4, "target_ongoing_requests": 1, "upscale_delay_s": 1,
    "downscale_delay_s": 10, "metrics_interval_s": 0.5, "look_back_period_s": 5,
}  # fmt: skip
SMALL = {"num_cpus": 0.1}
pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(1800)]


@dataclass(frozen=True)
class Deployed:
    """What ``serve deploy`` brought up.

    Args:
        url: Of the endpoint.
        env: For those who ask about it.
        trust: Accepts its certificate.
        config: What was deployed.
        metrics: Ray's own.
    """

    url: str
    env: dict[str, str]
    trust: ssl.SSLContext
    config: Path
    metrics: str

    def deploy(self) -> str:
        """Deploy the config as it is now; tell what was wrong, if anything."""
        command = shlex.split(DEPLOY.replace("serve/config.yaml", str(self.config)))
        told = {"env": self.env, "cwd": ROOT, "capture_output": True, "text": True}
        done = subprocess.run(command, check=False, **told)
        return done.stderr or "failed" if done.returncode else ""

    def client(self) -> httpx.Client:
        """One who has the token."""
        token = Path(self.env["MGRAY_TOKEN_FILE"]).read_text()
        head = {"Authorization": f"Bearer {token}", "Content-Type": "application/dicom"}
        return httpx.Client(base_url=self.url, headers=head, verify=self.trust, timeout=120)

    def replicas(self, name: str) -> Counter[str]:
        """How many replicas of a deployment are in each state."""
        said = subprocess.check_output(shlex.split(STATUS), env=self.env, cwd=ROOT, text=True)
        deployments = yaml.safe_load(said)["applications"]["mgray"]["deployments"]
        return Counter(deployments[name]["replica_states"])


def starter(words: str) -> str:
    """The manual's only command that begins so."""
    (line,) = (line for line in commands() if line.startswith(words))
    return line


STATUS, DEPLOY, START = starter("serve status"), starter("serve deploy"), starter("ray start")


def adapted(folder: Path, port: int, certificate: trustme.LeafCert) -> Path:
    """serve/config.yaml with TLS, a model of this test, one replica each, quick to scale."""
    certificate.private_key_pem.write_to_path(str(folder / "tls.key"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "tls.crt"))
    config: dict[str, Any] = yaml.safe_load((ROOT / "serve" / "config.yaml").read_text())
    files = {"ssl_certfile": str(folder / "tls.crt"), "ssl_keyfile": str(folder / "tls.key")}
    config["http_options"] |= {"port": port, **files}
    (application,) = config["applications"]
    application["args"] |= {"model": str(folder / "models"), "sample_rows": 320}
    for deployment in application["deployments"]:
        deployment["ray_actor_options"] |= SMALL
        if "autoscaling_config" in deployment:
            deployment["autoscaling_config"] |= QUICK if deployment["name"] == "Detector" else ONE
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder / "config.yaml"


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder, port = tmp_path_factory.mktemp("deployed"), free_port()
    save_random_model(folder / "models" / "fused" / "1", seed=0)
    Shelf(folder / "models").choose("fused", "1")
    (folder / "token").write_text(secrets.token_urlsafe(32))
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    path = f"{ROOT}{os.pathsep}{ROOT / 'platform'}"
    env = os.environ | {
        "MGRAY_TOKEN_FILE": str(folder / "token"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": path,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(16),
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "serve.gate:proxy_middlewares",
        "SSL_CERT_FILE": str(folder / "ca.pem"),
    }
    config = adapted(folder, port, authority.issue_cert("127.0.0.1"))
    with ray_head(env, START, cpus=4) as head:
        env |= {"RAY_DASHBOARD_ADDRESS": head.dashboard}
        trust = ssl.create_default_context(cafile=folder / "ca.pem")
        deployed = Deployed(f"https://127.0.0.1:{port}", env, trust, config, head.metrics)
        wait_for(lambda: not deployed.deploy(), deployed.deploy)  # a busy dashboard starts late
        wait_for(lambda: is_ready(deployed))
        yield deployed


def is_ready(deployed: Deployed) -> bool:
    try:
        return httpx.get(f"{deployed.url}/readyz", verify=deployed.trust).is_success
    except httpx.TransportError:
        return False


def test_it_passes_its_own_check_over_tls(deployed):
    done = run_job("serve_check", deployed.url, **deployed.env)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_speaks_tls_only(deployed):
    with pytest.raises(httpx.TransportError):
        httpx.get(deployed.url.replace("https", "http") + "/livez")


def test_refusals_of_the_gate_are_among_the_metrics_of_ray(deployed):
    refused = httpx.post(f"{deployed.url}/v1/detect", content=b"x", verify=deployed.trust)
    assert refused.status_code == 401

    def counted() -> list[str]:
        lines = httpx.get(deployed.metrics).text.splitlines()
        return [line for line in lines if line.startswith(f"ray_{REFUSED}_total{{")]

    wait_for(counted)
    assert 'code="unauthorized"' in " ".join(counted())


def test_replicas_come_and_go_with_the_load_and_no_request_fails(deployed, make_dicom):
    over, statuses, body = threading.Event(), Counter(), make_dicom()

    def client():
        with deployed.client() as asking:
            while not over.is_set():
                statuses[asking.post("/v1/detect", content=body).status_code] += 1

    assert deployed.replicas("Detector") == {"RUNNING": 1}
    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: deployed.replicas("Detector")["RUNNING"] == 4)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    wait_for(lambda: deployed.replicas("Detector") == {"RUNNING": 1})
    assert set(statuses) == {200}, statuses


def test_detectors_may_all_rest_until_an_image_comes(deployed, make_dicom):
    config = yaml.safe_load(deployed.config.read_text())
    for deployment in config["applications"][0]["deployments"]:
        if deployment["name"] == "Detector":
            deployment["autoscaling_config"] |= {"min_replicas": 0}
    deployed.config.write_text(yaml.safe_dump(config))
    assert deployed.deploy() == ""
    wait_for(lambda: deployed.replicas("Detector") == {})
    assert is_ready(deployed), "else nobody would send it an image"
    with deployed.client() as asking:
        assert asking.post("/v1/detect", content=make_dicom()).status_code == 200
    assert deployed.replicas("Detector")["RUNNING"] == 1
