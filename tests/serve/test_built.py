import pytest
import yaml
from click.testing import CliRunner
from ray.serve import Application
from ray.serve.schema import ServeDeploySchema

from mgray.errors import ConfigError
from serve import built

pytestmark = pytest.mark.ray


def test_serve_build_writes_a_config_that_serve_takes(ray_cluster, models, monkeypatch, tmp_path):
    from ray.serve.scripts import build

    monkeypatch.setenv("MGRAY_MODEL", str(models))
    out = tmp_path / "built.yaml"
    ran = CliRunner().invoke(build, ["serve.built:app", "-o", str(out)])
    assert ran.exit_code == 0, ran.output
    config = ServeDeploySchema.model_validate(yaml.safe_load(out.read_text()))
    names = {deployment.name for deployment in config.applications[0].deployments}
    assert names == {"Endpoint", "Decoder", "Detector"}


def test_arguments_come_from_the_environment(models, monkeypatch):
    monkeypatch.setenv("MGRAY_MODEL", str(models))
    monkeypatch.setenv("MGRAY_DEFAULT_MODEL", "other")
    with pytest.raises(ConfigError, match="default_model=other: expected one of fused"):
        _ = built.app


def test_the_name_gives_an_application(models, monkeypatch):
    monkeypatch.setenv("MGRAY_MODEL", str(models))
    assert isinstance(built.app, Application)


def test_other_names_are_not_there():
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        _ = built.other
