"""What the endpoint says of itself, tried by schemathesis on the running endpoint."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.ray
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "ignored_auth",
)


def test_every_answer_to_generated_requests_is_a_documented_one(client, tmp_path):
    command = [
        Path(sys.executable).with_name("schemathesis"),
        "run",
        client.base_url.join("/openapi.json"),
        *("--header", f"Authorization: {client.headers['authorization']}"),
        *("--checks", ",".join(CHECKS)),
        *("--exclude-path", "/studies"),  # it cannot write multipart/related
        *("--request-timeout", "60"),
        *("--phases", "examples,coverage,fuzzing"),
        *("--max-examples", "15"),
        *("--seed", "1"),
        "--no-color",
    ]
    ran = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
