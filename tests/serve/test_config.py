"""``config.yaml`` is what Ray Serve and ``build`` understand."""

from pathlib import Path

import pytest
import yaml
from ray.serve.schema import ServeDeploySchema

from mgray.config import build as build_config
from serve.args import Args
from serve.decoder import DECODER
from serve.detector import DETECTOR
from serve.endpoint import ENDPOINT

PATH = Path(__file__).parents[2] / "serve" / "config.yaml"


@pytest.fixture(scope="module")
def config():
    return ServeDeploySchema.model_validate(yaml.safe_load(PATH.read_text()))


def test_it_listens_on_loopback_only(config):
    assert config.http_options.host == "127.0.0.1"


def test_its_arguments_are_those_of_build(config):
    (application,) = config.applications
    assert application.import_path == "serve.app:build"
    assert build_config(Args, application.args).model


def test_it_names_every_deployment(config):
    names = {deployment.name for deployment in config.applications[0].deployments}
    assert names == {ENDPOINT.name, DECODER.name, DETECTOR.name}


def test_there_is_always_a_warm_replica(config):
    for deployment in config.applications[0].deployments:
        scaling = deployment.autoscaling_config
        if isinstance(scaling, dict):
            assert scaling["min_replicas"] >= 1
        else:
            assert deployment.num_replicas == 1


def test_all_replicas_of_a_plain_serve_run_fit_on_two_cores():
    """Else a deployment that has grown could keep another's only replica from coming back."""
    most = 0.0
    for deployment in (ENDPOINT, DECODER, DETECTOR):
        scaling = deployment._deployment_config.autoscaling_config
        count = scaling.max_replicas if scaling else 1
        most += count * deployment.ray_actor_options["num_cpus"]
    assert most <= 2


def test_a_decoder_takes_one_file_at_a_time(config):
    decoder = next(d for d in config.applications[0].deployments if d.name == DECODER.name)
    assert decoder.max_ongoing_requests == 1


def test_rays_timeout_lies_behind_ours(config):
    args = build_config(Args, config.applications[0].args)
    assert config.http_options.request_timeout_s > args.deadline_s
