from serve.answers import Answer
from serve.endpoint import api
from serve.examples import ANSWER


def test_the_example_is_an_answer():
    assert Answer.model_validate(ANSWER).model_dump(mode="json", exclude_unset=True) == ANSWER


def test_the_documentation_shows_it():
    post = api.openapi()["paths"]["/v1/detect"]["post"]
    content = post["responses"]["200"]["content"]
    assert content["application/json"]["example"] == ANSWER
    assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/Answer"}
    assert {"application/dicom", "multipart/related"} <= content.keys()


def test_every_query_parameter_is_described():
    parameters = api.openapi()["paths"]["/v1/detect"]["post"]["parameters"]
    assert {one["name"] for one in parameters} == {
        "as",
        "contributions",
        "fppi",
        "model",
        "version",
    }
    assert all(one["description"] for one in parameters)
