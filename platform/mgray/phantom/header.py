"""DICOM headers: Digital Mammography X-Ray Image, For Presentation (PS3.3 A.27).

Nothing here knows of findings, so a header cannot tell of one. Identifiers are hashes of the
exam's key.
"""

import hashlib
from typing import Final

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, DigitalMammographyXRayImageStorageForPresentation

from mgray.phantom.exam import Exam, Kind, Picture
from mgray.phantom.geometry import ViewName

IMAGE_TYPE: Final[dict[Kind, list[str]]] = {
    "ffdm": ["ORIGINAL", "PRIMARY", ""],
    "synthetic_2d": ["DERIVED", "PRIMARY", "", "GENERATED_2D"],
}
"""PS3.3 C.8.11.7.1.4; value 3 stays empty: dciodvfy takes no tomosynthesis there in this class"""
VIEW_CODES: Final[dict[ViewName, tuple[str, str]]] = {
    "CC": ("399162004", "cranio-caudal"),
    "MLO": ("399368009", "medio-lateral oblique"),
}
SERIES_NUMBER: Final[dict[Kind, int]] = {"ffdm": 1, "synthetic_2d": 2}


def digest(key: tuple[int, int], *words: str) -> bytes:
    """32 bytes that name a part of an exam and tell nothing about it."""
    return hashlib.sha256("/".join(["mgray-phantom", *map(str, key), *words]).encode()).digest()


def uid(key: tuple[int, int], *words: str) -> UID:
    """A UUID-derived UID (PS3.5 B.2) that depends on the key and the words only."""
    raw = bytearray(digest(key, *words)[:16])
    raw[6], raw[8] = raw[6] & 0x0F | 0x80, raw[8] & 0x3F | 0x80  # RFC 9562: version 8, variant
    return UID(f"2.25.{int.from_bytes(raw, 'big')}")


def sop_instance_uid(key: tuple[int, int], picture: Picture) -> UID:
    """Of one image."""
    return uid(key, "instance", picture.laterality, picture.view, picture.kind)


def study_instance_uid(key: tuple[int, int]) -> UID:
    """Of the exam."""
    return uid(key, "study")


def patient_id(key: tuple[int, int]) -> str:
    """Of the one patient of this exam."""
    return f"PH{digest(key, 'patient').hex()[:14].upper()}"


def build_header(exam: Exam, picture: Picture) -> Dataset:
    """All attributes but the pixel data and the file meta's transfer syntax."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    _patient_and_study(dataset, exam)
    _series(dataset, exam, picture)
    _image(dataset, exam, picture)
    _grey_scale(dataset, picture)
    _acquisition(dataset, picture)
    return dataset


def _patient_and_study(dataset: Dataset, exam: Exam) -> None:
    number = int.from_bytes(digest(exam.key, "dates")[:4], "big")
    dataset.PatientName = f"PHANTOM^{patient_id(exam.key)}"
    dataset.PatientID = patient_id(exam.key)
    dataset.PatientBirthDate = ""
    dataset.PatientSex = "F"
    dataset.PatientAge = f"{40 + number % 35:03d}Y"
    dataset.StudyInstanceUID = study_instance_uid(exam.key)
    dataset.StudyDate = f"2020{number // 64 % 12 + 1:02d}{number // 1024 % 28 + 1:02d}"
    dataset.StudyTime = f"{8 + number // 32768 % 10:02d}0000"
    dataset.ReferringPhysicianName = ""
    dataset.StudyID = "1"
    dataset.AccessionNumber = ""


def _series(dataset: Dataset, exam: Exam, picture: Picture) -> None:
    dataset.Modality = "MG"
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.SeriesInstanceUID = uid(exam.key, "series", picture.kind)
    dataset.SeriesNumber = SERIES_NUMBER[picture.kind]
    dataset.SeriesDate, dataset.SeriesTime = dataset.StudyDate, dataset.StudyTime
    dataset.Manufacturer = "mgray"
    dataset.ManufacturerModelName = "virtual breast"
    dataset.DeviceSerialNumber = "1"
    dataset.SoftwareVersions = "1"


def _image(dataset: Dataset, exam: Exam, picture: Picture) -> None:
    dataset.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    dataset.SOPInstanceUID = sop_instance_uid(exam.key, picture)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.ImageType = IMAGE_TYPE[picture.kind]
    dataset.InstanceNumber = {"LCC": 1, "RCC": 2, "LMLO": 3, "RMLO": 4}[
        picture.laterality + picture.view
    ]
    dataset.ContentDate, dataset.ContentTime = dataset.StudyDate, dataset.StudyTime
    dataset.AcquisitionDate, dataset.AcquisitionTime = dataset.StudyDate, dataset.StudyTime
    down = {"LCC": "R", "RCC": "L", "LMLO": "FR", "RMLO": "FL"}[picture.laterality + picture.view]
    dataset.PatientOrientation = ["A" if picture.laterality == "L" else "P", down]
    dataset.ImageLaterality = picture.laterality
    dataset.BurnedInAnnotation = "NO"
    dataset.BreastImplantPresent = "NO"
    dataset.PartialView = "NO"
    dataset.OrganExposed = "BREAST"
    view = code(*VIEW_CODES[picture.view])
    view.ViewModifierCodeSequence = Sequence([])
    dataset.ViewCodeSequence = Sequence([view])
    dataset.ViewPosition = picture.view
    dataset.AnatomicRegionSequence = Sequence([code("76752008", "Breast")])
    dataset.AcquisitionContextSequence = Sequence([])
    if picture.kind == "synthetic_2d":
        dataset.DerivationDescription = "2D image synthesised from tomosynthesis"


def _grey_scale(dataset: Dataset, picture: Picture) -> None:
    dataset.Rows, dataset.Columns = picture.pixels.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = 16
    dataset.BitsStored, dataset.HighBit = picture.bits, picture.bits - 1
    dataset.PixelRepresentation = 0
    dataset.PixelIntensityRelationship = "LOG"
    dataset.PixelIntensityRelationshipSign = 1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "US"
    dataset.WindowCenter, dataset.WindowWidth = 2 ** (picture.bits - 1), 2**picture.bits
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.LossyImageCompression = "00"


def _acquisition(dataset: Dataset, picture: Picture) -> None:
    spacing = round(picture.pixel_mm, 6)
    dataset.ImagerPixelSpacing = [spacing, spacing]
    dataset.DetectorType = "DIRECT"
    dataset.PositionerType = "MAMMOGRAPHIC"
    dataset.PositionerPrimaryAngle = {"CC": 0, "MLO": 45}[picture.view]
    dataset.KVP = 28
    dataset.AnodeTargetMaterial = "TUNGSTEN"
    dataset.FilterMaterial = "RHODIUM"
    dataset.BodyPartThickness = round(picture.thickness_mm)


def code(value: str, meaning: str) -> Dataset:
    """An item of SNOMED CT."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item
