"""What a running endpoint answered, for the report."""

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from mgray.errors import DataError, NotFoundError
from mgray.reports.summary import strict


class _Box(BaseModel):
    label: str
    score: float


class _Image(BaseModel):
    detections: list[_Box]


class _Answer(BaseModel):
    images: Annotated[list[_Image], Field(min_length=1)]
    thresholds: dict[str, float]


class _Served(BaseModel):
    what: str
    seconds: float
    answer: _Answer


_SHAPE = TypeAdapter(list[_Served])


def read_served(path: Path) -> list[dict[str, Any]]:
    """Read a list of ``{what, seconds, answer}``, each answer as ``POST /v1/detect`` gives it.

    Raises:
        NotFoundError: No such file.
        DataError: Not JSON, or another shape.
    """
    if not path.is_file():
        raise NotFoundError(
            f"served: no file {str(path)!r}: leave the key out or ask an endpoint first"
        )
    try:
        served: list[dict[str, Any]] = strict(json.loads(path.read_text()))
        _SHAPE.validate_python(served)
    except ValidationError:
        raise DataError(
            f"served: {str(path)!r}: expected a list of {{what, seconds, answer}}, each answer as "
            "POST /v1/detect gives it"
        ) from None
    except ValueError:
        raise DataError(f"served: {str(path)!r} is not JSON") from None
    return served
