import pytest

from mgray.models.folder import CARD, model_sha256

pytestmark = pytest.mark.ray


def test_the_model_tells_its_name_and_card(client, model_folder):
    told = client.get("/v1/model").json()
    assert told["id"] == "fused"
    assert told["sha256"] == model_sha256(model_folder)
    assert told["card"] == (model_folder / CARD).read_text()
