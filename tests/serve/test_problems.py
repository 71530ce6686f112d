import json

import pytest

from mgray.errors import REJECT_REASONS
from serve.problems import Problem, ProblemBody, responses


@pytest.mark.parametrize("reason", REJECT_REASONS)
def test_every_reason_of_ingest_has_a_client_status(reason):
    assert Problem(reason).status in {400, 413, 415, 422}


@pytest.mark.parametrize(
    ("reason", "status"), [("empty", 400), ("too_large", 413), ("not_dicom", 415)]
)
def test_a_reason_that_http_has_a_word_for_gets_that_status(reason, status):
    assert Problem(reason).status == status


def test_the_body_is_a_problem():
    answer = Problem("no_pixels", "nothing there").response()
    assert answer.media_type == "application/problem+json"
    assert json.loads(answer.body) == {
        "type": "urn:mgray:problem:no_pixels",
        "title": REJECT_REASONS["no_pixels"],
        "status": 422,
        "code": "no_pixels",
        "detail": "nothing there",
    }


def test_without_detail_the_title_is_repeated():
    assert json.loads(Problem("empty").response().body)["detail"] == REJECT_REASONS["empty"]


@pytest.mark.parametrize("code", ["busy", "unavailable"])
def test_a_503_says_when_to_come_back(code):
    assert int(Problem(code).response().headers["retry-after"]) >= 1


def test_other_problems_do_not_ask_to_come_back():
    assert "retry-after" not in Problem("empty").response().headers


def test_an_unknown_code_is_a_mistake_of_ours():
    with pytest.raises(KeyError):
        Problem("nonsense")


def test_the_documentation_names_all_codes_of_a_status():
    assert responses(503)[503]["description"] == "archive, busy, unavailable"
    schema = responses(503)[503]["content"]["application/problem+json"]["schema"]
    assert set(schema["properties"]) == set(ProblemBody.model_fields)
