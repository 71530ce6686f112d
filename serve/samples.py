"""Virtual patients to try the endpoint on: made by the phantom when somebody first asks.

One exam, view by view, each in a Ray task beside the replicas, then kept in memory. There is no
patient behind them, and the lesions that were planted are known.
"""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import ray
from fastapi import APIRouter, Response
from ray.exceptions import RayError

from mgray.phantom.config import ExamConfig
from serve.answers import Box, Facts
from serve.problems import Problem, responses
from serve.replica import Replica

if TYPE_CHECKING:
    from mgray.phantom.exam import Exam, Picture

SEED, NUMBER = 51, 0
PIXEL_MM_AT_1024: Final = 0.14
View = tuple[Literal["L", "R"], Literal["CC", "MLO"]]
Kind = Literal["ffdm", "synthetic_2d"]
VIEWS: Final[tuple[View, ...]] = (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"))


def _name(view: View, kind: Kind) -> str:
    return f"{''.join(view)}-{kind}".lower()


class Sample(Facts):
    """One to choose."""

    id: str
    """In the path of its images."""
    title: str
    """In two words."""
    note: str
    """What there is to see."""


class Lesion(Facts):
    """A planted lesion that shows in the image."""

    box: Box
    """``x0, y0, x1, y1`` in pixels of the DICOM's own grid, half-open."""
    label: Literal["benign", "malignant"]
    """Its type decides."""
    kind: str
    """Its type: ``spiculated mass`` ..."""


class SampleImage(Facts):
    """One image of a sample."""

    href: str
    """Where its DICOM file is, relative to the endpoint."""
    lesions: list[Lesion]
    """What was planted."""


class SampleImages(Facts):
    """The images of a sample."""

    images: list[SampleImage]
    """Of one exam."""


@dataclass(frozen=True)
class Made:
    """One image: a DICOM file and its truth."""

    dicom: bytes
    lesions: list[Lesion]


SAMPLES: Final[dict[str, tuple[str, str, tuple[tuple[View, Kind], ...]]]] = {
    "exam": (
        "Virtual exam",
        "Four views, synthetic 2D, a lesion in one breast",
        tuple((view, "synthetic_2d") for view in VIEWS),
    ),
    "image": ("One view", "Synthetic 2D with a lesion", ((("L", "CC"), "synthetic_2d"),)),
    "ffdm": ("Another kind", "The same view as FFDM: see the warning", ((("L", "CC"), "ffdm"),)),
}
_WANTED: Final = {_name(*one): one for *_, wanted in SAMPLES.values() for one in wanted}
_making: dict[View, asyncio.Future[dict[Kind, Made]]] = {}

router = APIRouter()


@router.get("/v1/samples")
async def samples() -> list[Sample]:
    """List virtual patients to try the endpoint on."""
    return [Sample(id=name, title=title, note=note) for name, (title, note, _) in SAMPLES.items()]


@router.get("/v1/samples/{name}", responses=responses(404, 503))
async def sample(name: str, here: Replica) -> SampleImages:
    """Make a virtual patient and tell where its images are; the first time takes seconds."""
    if name not in SAMPLES:
        raise Problem("not_found")
    _, _, wanted = SAMPLES[name]
    made = await asyncio.gather(
        *(_image(view, kind, here.args.sample_rows) for view, kind in wanted)
    )
    return SampleImages(
        images=[
            SampleImage(href=f"v1/samples/images/{_name(*one)}.dcm", lesions=image.lesions)
            for one, image in zip(wanted, made, strict=True)
        ]
    )


@router.get("/v1/samples/images/{name}.dcm", responses=responses(404, 503))
async def sample_image(name: str, here: Replica) -> Response:
    """Give one image of a virtual patient as DICOM."""
    if name not in _WANTED:
        raise Problem("not_found")
    image = await _image(*_WANTED[name], here.args.sample_rows)
    return Response(image.dicom, media_type="application/dicom")


def make_view(view: View, rows: int) -> dict[Kind, Made]:
    """Make one view of the virtual patient, as both kinds of image.

    Args:
        view: Laterality and view.
        rows: Height of the images, pixels; a multiple of 16, at least 320.
    """
    from mgray.phantom.exam import Exam
    from mgray.phantom.exam import make_view as make_pictures
    from mgray.phantom.geometry import sample_breast
    from mgray.phantom.lesions import sample_findings

    config = ExamConfig(
        seed=SEED,
        height=rows,
        width=rows * 13 // 256 * 16,
        pixel_mm=PIXEL_MM_AT_1024 * 1024 / rows,
        synthetic_scale=1,
    )
    key = (SEED, NUMBER)
    breast, findings = sample_breast(key), sample_findings(key, view[0], config)
    pictures = make_pictures(config, breast, view, findings)
    exam = Exam(key, breast, pictures)
    return {picture.kind: _made(exam, picture) for picture in pictures}


def _made(exam: "Exam", picture: "Picture") -> Made:
    from mgray.phantom.dicom_writer import write_picture

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.dcm"
        write_picture(path, exam, picture, "j2k")
        dicom = path.read_bytes()
    lesions = [
        Lesion(
            box=truth.box,
            label="malignant" if truth.finding.malignant else "benign",
            kind=truth.finding.kind.replace("_", " "),
        )
        for truth in picture.truths
        if truth.visible
    ]
    return Made(dicom, lesions)


async def _image(view: View, kind: Kind, rows: int) -> Made:
    """Wait for a view that is being made, or begin it; one that failed is begun anew."""
    if view not in _making or (_making[view].done() and _making[view].exception() is not None):
        task = ray.remote(num_cpus=0)(make_view).remote(view, rows)
        _making[view] = asyncio.ensure_future(_result(task))
    try:
        return (await asyncio.shield(_making[view]))[kind]
    except RayError:  # whoever asked first hung up, which cancelled it: the next one makes it anew
        _making.pop(view, None)
        raise Problem("unavailable") from None


async def _result(task: "ray.ObjectRef[dict[Kind, Made]]") -> dict[Kind, Made]:
    return await task
