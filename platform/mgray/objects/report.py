"""Comprehensive SR, TID 1500: every mark a region with its certainty, every image and the exam too.

References:
    PS3.16 TID 1500, TID 1410 (regions), TID 1501 (groups of measurements); PS3.3 C.18.6.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from highdicom import sr
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from mgray.dicom.quiet import quiet
from mgray.errors import Rejected
from mgray.objects.content import MANUFACTURER, NOTICE, Author, Mark, Marked, instance

SIDES: Final = {"L": codes.SCT.Left, "R": codes.SCT.Right}
CERTAINTY: Final = sr.CodedConcept("111012", "DCM", "Certainty of Finding")
IMPRESSION: Final = sr.CodedConcept("111013", "DCM", "Certainty of Impression")
LESION: Final = sr.CodedConcept("52988006", "SCT", "Lesion")
CLASS: Final = sr.CodedConcept("MGRAY-1", "99MGRAY", "Class given by the model")
CLASSES: Final = {
    "malignant": sr.CodedConcept("21594007", "SCT", "Malignant"),
    "benign": sr.CodedConcept("30807003", "SCT", "Benign"),
}
MAMMOGRAPHY: Final = sr.CodedConcept("71651007", "SCT", "Mammography")


def build_report(images: Sequence[Marked], exam_score: float, author: Author) -> sr.ComprehensiveSR:
    """Report on the images of one exam.

    Args:
        images: Of one study.
        exam_score: 0 to 1.
        author: The model.

    Returns:
        Unverified and complete; its regions are in the images' own pixels, whose outer corner is 0.

    Raises:
        Rejected: ``missing_identity``, where it would file one patient's images under another.
    """
    if len({image.source.PatientID for image in images}) > 1:
        raise Rejected("missing_identity", "(0010,0020) Patient ID differs between the images")
    with quiet():
        groups = [_exam_group(images, exam_score, author)]
        for number, image in enumerate(images, start=1):
            groups.append(_image_group(image, number, author))
            groups += [
                _mark_group(image, mark, f"image {number} mark {place}", author)
                for place, mark in enumerate(image.marks, start=1)
            ]
        content = sr.MeasurementReport(
            observation_context=_observer(author),
            procedure_reported=MAMMOGRAPHY,
            imaging_measurements=groups,
            title=codes.DCM.ImagingMeasurementReport,
        )
        return sr.ComprehensiveSR(
            evidence=[image.source for image in images],
            content=content[0],
            is_complete=True,
            specific_character_set="ISO_IR 192",
            series_description=f"{MANUFACTURER} detections",
            **instance("sr", author),
        )


def _observer(author: Author) -> sr.ObservationContext:
    uid = f"2.25.{int(author.sha256[:32], 16)}"  # one for each model, PS3.5 B.2
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=uid, name=MANUFACTURER, manufacturer_name=MANUFACTURER, model_name=author.model[:64]
    )
    return sr.ObservationContext(
        observer_device_context=sr.ObserverContext(codes.DCM.Device, device)
    )


def _exam_group(images: Sequence[Marked], score: float, author: Author) -> Any:
    sources = [_group_source(image) for image in images]
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracked("exam"),
        algorithm_id=_algorithm(author),
        measurements=[_certainty(IMPRESSION, score)],
        source_images=sources,
    )


def _image_group(image: Marked, number: int, author: Author) -> Any:
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracked(f"image {number}"),
        algorithm_id=_algorithm(author),
        finding_sites=_sites(image),
        measurements=[_certainty(IMPRESSION, image.score)],
        source_images=[_group_source(image)],
    )


def _mark_group(image: Marked, mark: Mark, name: str, author: Author) -> Any:
    x0, y0, x1, y1 = mark.box
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]])
    source = sr.SourceImageForRegion(image.source.SOPClassUID, image.source.SOPInstanceUID)
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracked(name),
        referenced_region=sr.ImageRegion(sr.GraphicTypeValues.POLYLINE, corners, source),
        finding_type=LESION,
        algorithm_id=_algorithm(author),
        finding_sites=_sites(image),
        measurements=[_certainty(CERTAINTY, mark.score)],
        qualitative_evaluations=[sr.QualitativeEvaluation(CLASS, CLASSES[mark.label])],
    )


def _tracked(name: str) -> sr.TrackingIdentifier:
    return sr.TrackingIdentifier(uid=generate_uid(prefix=None), identifier=name)


def _certainty(name: sr.CodedConcept, score: float) -> sr.Measurement:
    return sr.Measurement(name=name, value=round(100 * score, 4), unit=codes.UCUM.Percent)


def _group_source(image: Marked) -> sr.SourceImageForMeasurementGroup:
    return sr.SourceImageForMeasurementGroup(image.source.SOPClassUID, image.source.SOPInstanceUID)


def _sites(image: Marked) -> list[sr.FindingSite]:
    return [sr.FindingSite(codes.SCT.Breast, SIDES.get(image.source.Laterality))]


def _algorithm(author: Author) -> sr.AlgorithmIdentification:
    return sr.AlgorithmIdentification(
        name=f"{MANUFACTURER} {author.model}",
        version=author.version,
        manufacturer=MANUFACTURER,
        parameters=[f"weights sha256 {author.sha256}", author.rule, NOTICE],
    )
