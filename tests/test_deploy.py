"""Cluster files are valid by the schemas of those who read them."""

import json
from pathlib import Path

import jsonschema
import pytest
import ray
import yaml

from serve.gate import IN_PROXY, PROXY_CALLBACK

ROOT = Path(__file__).parents[1]


def test_cluster_yaml_is_valid_by_rays_own_schema():
    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    jsonschema.validate(yaml.safe_load((ROOT / "cluster.yaml").read_text()), schema)


@pytest.mark.parametrize("name", ["raycluster", "rayjob", "rayservice"])
def test_kuberay_files_name_kind_and_version(name):
    file = yaml.safe_load((ROOT / "deploy" / "kuberay" / f"{name}.yaml").read_text())
    assert file["apiVersion"] == "ray.io/v1"
    assert file["kind"].lower() == name


@pytest.mark.parametrize("name", ["raycluster", "rayjob", "rayservice"])
def test_every_kuberay_cluster_has_a_token(name):
    spec = yaml.safe_load((ROOT / "deploy" / "kuberay" / f"{name}.yaml").read_text())["spec"]
    cluster = spec.get("rayClusterSpec") or spec.get("rayClusterConfig") or spec
    assert cluster["authOptions"] == {"mode": "token"}
    assert cluster["workerGroupSpecs"]


def test_every_start_command_turns_authentication_on():
    cluster = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    starts = cluster["head_start_ray_commands"] + cluster["worker_start_ray_commands"]
    assert all("RAY_AUTH_MODE=token" in command for command in starts if "ray start" in command)


def test_the_served_application_of_kuberay_is_ours():
    from ray.serve.schema import ServeDeploySchema

    service = yaml.safe_load((ROOT / "deploy" / "kuberay" / "rayservice.yaml").read_text())
    config = ServeDeploySchema(**yaml.safe_load(service["spec"]["serveConfigV2"]))
    assert config.applications[0].import_path == "serve.app:build"


def test_kuberay_serves_as_config_yaml_does_but_for_address_and_model():
    service = yaml.safe_load((ROOT / "deploy" / "kuberay" / "rayservice.yaml").read_text())
    kuberay = yaml.safe_load(service["spec"]["serveConfigV2"])
    plain = yaml.safe_load((ROOT / "serve" / "config.yaml").read_text())
    assert kuberay["http_options"].pop("host") == "0.0.0.0"
    assert plain["http_options"].pop("host") == "127.0.0.1"
    assert kuberay["applications"][0]["args"].pop("model").startswith("/storage/")
    del plain["applications"][0]["args"]["model"], plain["applications"][0]["runtime_env"]
    assert kuberay == plain


def test_every_node_of_kuberay_has_the_gate_and_the_token():
    service = yaml.safe_load((ROOT / "deploy" / "kuberay" / "rayservice.yaml").read_text())
    cluster = service["spec"]["rayClusterConfig"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        spec = group["template"]["spec"]
        told = {one["name"]: one["value"] for one in spec["containers"][0]["env"]}
        assert told[PROXY_CALLBACK] == IN_PROXY
        mounts = {one["name"]: one["mountPath"] for one in spec["containers"][0]["volumeMounts"]}
        assert Path(told["MGRAY_TOKEN_FILE"]).parent == Path(mounts["token"])
        assert "token" in {volume["name"] for volume in spec["volumes"]}


def test_code_travels_with_both_source_roots():
    runtime = yaml.safe_load((ROOT / "jobs" / "runtime_env.yaml").read_text())
    assert runtime["env_vars"]["PYTHONPATH"].split(":") == [".", "platform"]
