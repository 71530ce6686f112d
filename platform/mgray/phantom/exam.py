"""One virtual patient: four views, each as FFDM and SM of the same tissue, with truth."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import UInt16

from mgray.phantom.config import ExamConfig
from mgray.phantom.fields import Image, stream
from mgray.phantom.geometry import (
    VIEWS,
    Breast,
    Frame,
    Laterality,
    Shape,
    ViewName,
    build_shape,
    sample_breast,
)
from mgray.phantom.lesions import (
    Effect,
    Finding,
    add_effects,
    dim,
    lesion_effect,
    sample_findings,
)
from mgray.phantom.projection import ffdm_grey
from mgray.phantom.synthetic import sm_grey
from mgray.phantom.tissue import Tissue, build_tissue
from mgray.phantom.tomosynthesis import acquire

Box = tuple[float, float, float, float]
Kind = Literal["ffdm", "synthetic_2d"]
BITS: dict[Kind, int] = {"ffdm": 12, "synthetic_2d": 10}


@dataclass(frozen=True)
class Truth:
    """A finding in one image: ``box`` in pixels of that image; ``visible`` if it shows there."""

    finding: Finding
    box: Box
    visible: bool


@dataclass(frozen=True)
class Picture:
    """One image, for presentation: background 0, ``bits`` stored."""

    kind: Kind
    laterality: Laterality
    view: ViewName
    pixels: UInt16[np.ndarray, "height width"]
    pixel_mm: float
    thickness_mm: float
    truths: tuple[Truth, ...]

    @property
    def bits(self) -> int:
        """Bits stored."""
        return BITS[self.kind]

    @property
    def cancer(self) -> bool:
        """A malignant finding lies in this view of the breast, visible or not."""
        return any(truth.finding.malignant for truth in self.truths)


@dataclass(frozen=True)
class Exam:
    """All images of one patient; ``key`` is what decides them besides the config."""

    key: tuple[int, int]
    breast: Breast
    pictures: tuple[Picture, ...]


def make_exam(config: ExamConfig, number: int) -> Exam:
    """Make exam ``number``; the same for every run and every number of workers."""
    key = (config.seed, number)
    breast = sample_breast(key)
    pictures: list[Picture] = []
    for laterality, view in VIEWS:
        findings = sample_findings(key, laterality, config)
        pictures += make_view(config, breast, (laterality, view), findings)
    return Exam(key, breast, tuple(pictures))


def make_view(
    config: ExamConfig,
    breast: Breast,
    which: tuple[Laterality, ViewName],
    findings: list[Finding],
) -> tuple[Picture, Picture]:
    """Make the FFDM and the SM of one view."""
    laterality, view = which
    frame = Frame(config.height, config.width, config.pixel_mm)
    shape = build_shape(breast, laterality, view, frame)
    tissue = build_tissue(breast, shape)
    candidates = [lesion_effect(f, breast, shape, tissue, config.contrast) for f in findings]
    effects = [effect for effect in candidates if effect is not None]
    ffdm = _expose_ffdm(breast, shape, tissue, effects)
    size = (
        round(config.height * config.synthetic_scale),
        round(config.width * config.synthetic_scale),
    )
    sm = _expose_sm(breast, shape, tissue, effects, size)
    return (
        _picture("ffdm", shape, ffdm, effects),
        _picture("synthetic_2d", shape, sm, effects),
    )


def _expose_ffdm(breast: Breast, shape: Shape, tissue: Tissue, effects: list[Effect]) -> Image:
    shown = [effect for effect in effects if effect.finding.in_ffdm]
    line = tissue.excess.sum(0) + tissue.fat
    for effect in shown:
        for patch in effect.patches:
            _, rows, columns = patch.where((0, *line.shape))
            line[rows, columns] += patch.cut((0, *line.shape)).sum(0)
    grains = [grain for effect in shown for grain in effect.grains]
    rng = stream(breast.key, "ffdm", shape.view, shape.laterality)
    grey = ffdm_grey(line, grains, shape, rng)
    whole = np.zeros((shape.frame.height, shape.frame.width), np.float32)
    whole[:, : grey.shape[1]] = grey
    return whole


def _expose_sm(
    breast: Breast, shape: Shape, tissue: Tissue, effects: list[Effect], size: tuple[int, int]
) -> Image:
    shown = [effect for effect in effects if effect.finding.in_sm]
    shown += [dim(effect, effect.finding.trace) for effect in effects if effect.finding.trace]
    rng = stream(breast.key, "dbt", shape.view, shape.laterality)
    tomo = acquire(add_effects(tissue.excess, shown), tissue.fat, shape, rng)
    return sm_grey(tomo, shape, size)


def _picture(kind: Kind, shape: Shape, grey: Image, effects: list[Effect]) -> Picture:
    top = 2 ** BITS[kind] - 1
    pixels = np.clip(np.rint(grey * top), 0, top).astype(np.uint16)
    if shape.laterality == "R":
        pixels = np.ascontiguousarray(pixels[:, ::-1])
    truths = []
    for effect in effects:
        visible = effect.finding.in_ffdm if kind == "ffdm" else effect.finding.in_sm
        truths.append(Truth(effect.finding, _box(effect, shape, pixels.shape), visible))
    pixel_mm = shape.frame.height * shape.frame.pixel_mm / pixels.shape[0]
    return Picture(
        kind, shape.laterality, shape.view, pixels, pixel_mm, shape.thickness_mm, tuple(truths)
    )


def _box(effect: Effect, shape: Shape, size: tuple[int, ...]) -> Box:
    """Millimetres of the left frame to pixels of the image, mirrored for the right breast."""
    height, width = size
    across = width / (shape.frame.width * shape.frame.pixel_mm)
    down = height / (shape.frame.height * shape.frame.pixel_mm)
    left, top, right, bottom = effect.box_mm
    x0, x1 = max(0.0, left * across), min(float(width), right * across)
    y0, y1 = max(0.0, top * down), min(float(height), bottom * down)
    if shape.laterality == "R":
        x0, x1 = width - x1, width - x0
    return x0, y0, x1, y1
