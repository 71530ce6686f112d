"""Grayscale softcopy presentation state: the marks as an overlay on the untouched image.

References:
    PS3.3 A.33.1, C.10.5 (graphics), C.11.8 (VOI LUT), C.11.6 (presentation LUT).
"""

from collections.abc import Mapping
from typing import Any, Final

import highdicom as hd
import numpy as np
from highdicom import pr

from mgray.dicom.grey import is_inverted
from mgray.dicom.quiet import quiet
from mgray.objects.content import NOTICE, Author, Mark, Marked, instance

PIXEL: Final = pr.AnnotationUnitsValues.PIXEL


def build_presentation(
    image: Marked, columns: Mapping[str, Any], author: Author
) -> pr.GrayscaleSoftcopyPresentationState:
    """Draw the marks of one image, shown with its own grey settings.

    Args:
        image: The image.
        columns: Its grey settings, of ``schema.IMAGE``.
        author: The model.
    """
    with quiet():
        layer = pr.GraphicLayer(layer_name="AI_MARKS", order=1, description=NOTICE)
        made = pr.GrayscaleSoftcopyPresentationState(
            referenced_images=[image.source],
            content_label="AI_MARKS",
            content_description=author.rule[:64],
            graphic_layers=[layer] if image.marks else None,
            graphic_annotations=[_overlay(image, layer)] if image.marks else None,
            modality_lut_transformation=_rescale(columns),
            voi_lut_transformations=_voi(columns),
            presentation_lut_transformation=hd.PresentationLUTTransformation(
                presentation_lut_shape="INVERSE" if is_inverted(columns) else "IDENTITY"
            ),
            specific_character_set="ISO_IR 192",
            series_description="mgray marks",
            **instance("gsps", author),
        )
    made.Laterality = image.source.Laterality or ""
    return made


def _overlay(image: Marked, layer: pr.GraphicLayer) -> pr.GraphicAnnotation:
    return pr.GraphicAnnotation(
        referenced_images=[image.source],
        graphic_layer=layer,
        graphic_objects=[_outline(mark) for mark in image.marks],
        text_objects=[_text(mark, image.source.Columns) for mark in image.marks],
    )


def _outline(mark: Mark) -> pr.GraphicObject:
    x0, y0, x1, y1 = mark.box
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]])
    return pr.GraphicObject(pr.GraphicTypeValues.POLYLINE, corners, units=PIXEL)


def _text(mark: Mark, columns: int) -> pr.TextObject:
    """The class and the score above the box."""
    x0, y0, x1, _ = mark.box
    anchor = (min(max((x0 + x1) / 2, 1.0), float(columns)), max(y0, 1.0))
    return pr.TextObject(
        f"{mark.label} {mark.score:.2f}",
        units=PIXEL,
        anchor_point=anchor,
        anchor_point_visible=False,
    )


def _rescale(columns: Mapping[str, Any]) -> hd.ModalityLUTTransformation | None:
    slope, intercept = columns["rescale_slope"], columns["rescale_intercept"]
    if slope is None and intercept is None:
        return None
    return hd.ModalityLUTTransformation(
        rescale_intercept=intercept or 0.0,
        rescale_slope=1.0 if slope is None else slope,
        rescale_type="US",
    )


def _voi(columns: Mapping[str, Any]) -> list[pr.SoftcopyVOILUTTransformation] | None:
    if columns["voi_lut"]:
        first, bits, *entries = columns["voi_lut"]
        full = np.array(entries) / (2.0**bits - 1) * 65535  # a presentation state has 8 or 16 bits
        table = hd.VOILUT(int(first), np.rint(full).astype(np.uint16))
        return [pr.SoftcopyVOILUTTransformation(voi_luts=[table])]
    if columns["window_center"]:
        return [
            pr.SoftcopyVOILUTTransformation(
                window_center=columns["window_center"][0],
                window_width=columns["window_width"][0],
                voi_lut_function=columns["voi_lut_function"] or "LINEAR",
            )
        ]
    return None
