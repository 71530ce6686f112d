"""KServe's health and metadata routes of the running endpoint."""

import pytest

pytestmark = pytest.mark.ray


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models/fused/ready", {"name": "fused", "ready": True}),
    ],
)
def test_it_lives_and_is_ready(client, path, answer):
    reply = client.get(path)
    assert (reply.status_code, reply.json()) == (200, answer)


def test_the_server_is_named(client):
    body = client.get("/v2").json()
    assert (body["name"], body["extensions"]) == ("mgray", [])


def test_a_model_is_described(client):
    body = client.get("/v2/models/fused").json()
    assert body["name"] == "fused"
    assert "1" in body["versions"]
    assert {"platform", "inputs", "outputs"} <= body.keys()


@pytest.mark.parametrize("path", ["/v2/models/none", "/v2/models/none/ready"])
def test_an_unknown_model_is_404(client, path):
    reply = client.get(path)
    assert (reply.status_code, reply.json()["code"]) == (404, "unknown_model")
