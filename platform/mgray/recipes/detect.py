"""Ask an endpoint about DICOM files."""

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Literal

import httpx

from mgray.config import Config
from mgray.errors import MgrayError, NotFoundError
from mgray.recipes.address import Address
from mgray.recipes.token import token_header

DICOM: Final = {"Accept": "application/dicom"}


class DetectConfig(Config):
    """What to ask, and how to show the answer."""

    files: tuple[Path, ...]
    """DICOM files; as bare first words."""
    endpoint: Address = "http://127.0.0.1:8000"
    """Address of the endpoint; its token is read from MGRAY_TOKEN_FILE or MGRAY_TOKEN."""
    exam: bool = False
    """Whether the files are the images of one exam, answered together."""
    format: Literal["table", "json"] = "table"
    """A table of images and of boxes at the operating point, or the whole answers."""
    fppi: Literal["0.25", "0.5", "1", "2"] = "1"
    """Operating point of table and report, in false positives per image."""
    sr: Path | None = None
    """Folder for structured reports, one for each file (one for all with exam=true)."""
    timeout_s: float = 120.0
    """Seconds to wait for an answer."""


class RefusedError(MgrayError):
    """The endpoint refused a request."""


def run_detect(config: DetectConfig) -> int:
    """Ask, print the answers on stdout and refusals on stderr; 1 if anything was refused.

    Raises:
        NotFoundError: A file that is not there.
        MgrayError: Nobody answers at the address.
    """
    missing = [path for path in config.files if not path.is_file()]
    if missing:
        raise NotFoundError(f"no file {str(missing[0])!r}")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # else a line for each request
    with httpx.Client(
        base_url=config.endpoint, headers=token_header(), timeout=config.timeout_s
    ) as client:
        return _run(config, client)


def _run(config: DetectConfig, client: httpx.Client) -> int:
    groups = [config.files] if config.exam else [(path,) for path in config.files]
    told, refused = [], 0
    for number, files in enumerate(groups, start=1):
        names = [str(path) for path in files]
        try:
            answer = ask(client, files, {}).json()
            if config.sr is not None:
                report = ask(client, files, {"fppi": config.fppi}, DICOM).content
                _save(config.sr, number, report)
        except RefusedError as error:
            sys.stderr.write(f"{' '.join(names)}: {error}\n")
            refused += 1
            continue
        told.append({"files": names, "answer": answer})
        if config.format == "table":
            sys.stdout.writelines(f"{line}\n" for line in table(names, answer, config.fppi))
    if config.format == "json":
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
    return 1 if refused else 0


def ask(
    client: httpx.Client,
    files: Sequence[Path],
    query: dict[str, str],
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """Post the images of one request.

    Raises:
        RefusedError: Any other answer than 200; says the endpoint's code and reason.
        MgrayError: Nobody answers.
    """
    with ExitStack() as stack:
        parts = [
            ("file", (f"{number}.dcm", stack.enter_context(path.open("rb")), "application/dicom"))
            for number, path in enumerate(files)
        ]
        try:
            reply = client.post("/v1/detect", files=parts, params=query, headers=headers)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise MgrayError(
                f"no answer from {str(client.base_url)!r} ({type(error).__name__}): "
                "is the endpoint running? give endpoint=URL"
            ) from None
    if reply.status_code != httpx.codes.OK:
        raise RefusedError(_why(reply))
    return reply


def table(names: Sequence[str], answer: dict[str, Any], fppi: str) -> Iterator[str]:
    """Lines of one answer: each image with its score, and its boxes at the operating point.

    Where that was not measured all malignant boxes are shown, and a line says so.
    """
    limit = answer["thresholds"].get(fppi)
    for name, image in zip(names, answer["images"], strict=True):
        warnings = ", ".join(warning["code"] for warning in image["warnings"])
        yield f"{name}  score {image['score']:.3f}  {warnings}".rstrip()
        if limit is None:
            yield f"    not measured at {fppi} FP / image: all malignant boxes"
        for one in image["detections"]:
            if one["label"] == "malignant" and one["score"] >= (limit or 0.0):
                corners = " ".join(f"{edge:8.1f}" for edge in one["box"])
                yield f"    {one['score']:.3f}  box {corners}"
    if len(names) > 1:
        yield f"exam  score {answer['exam']['score']:.3f}"


def _why(reply: httpx.Response) -> str:
    """Code and detail of a problem; the status alone where the body is none."""
    try:
        body = reply.json()
        return f"{reply.status_code} {body['code']}: {body['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"{reply.status_code}: the address answers, but not as an endpoint of mgray"


def _save(folder: Path, number: int, report: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"report-{number:04d}.dcm").write_bytes(report)
