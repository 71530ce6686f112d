"""Header patterns of six vendors and what they mean (docs: DATASETS §2.1-2.2)."""

from pydicom import Dataset

ROOT = "1.2.840.10008.5.1.4.1.1."
FFDM, RAW, BTO = ROOT + "1.2", ROOT + "1.2.1", ROOT + "13.1.3"


def code(value, scheme="SCT", modifiers=()):
    """An item of View Code Sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, "view"
    if modifiers:
        item.ViewModifierCodeSequence = [code(modifier)[0] for modifier in modifiers]
    return [item]


def vendor(kind, side, view, modifiers=(), **attributes):
    """A vendor's header and what it means: kind, laterality, view, view modifiers."""
    return (kind, side, view, list(modifiers)), attributes


CC, MLO, ML = "399162004", "399368009", "399260004"
VENDORS = {
    "hologic_ffdm": vendor(
        "ffdm", "L", "CC", SOPClassUID=FFDM, Manufacturer="HOLOGIC, Inc.",
        ManufacturerModelName="Selenia Dimensions", ImageType=["DERIVED", "PRIMARY"],
        ImageLaterality="L", ViewPosition="CC", ViewCodeSequence=code("R-10242", "SRT"),
    ),
    "hologic_processing": vendor(
        "ffdm_raw", "R", "MLO", SOPClassUID=RAW, Manufacturer="HOLOGIC, Inc.",
        PresentationIntentType="FOR PROCESSING", ImageType=["ORIGINAL", "PRIMARY"],
        ImageLaterality="R", ViewPosition="MLO",
    ),
    "hologic_cview": vendor(
        "synthetic_2d", "L", "MLO", SOPClassUID=FFDM, Manufacturer="HOLOGIC, Inc.",
        SeriesDescription="L MLO C-View", ImageType=["DERIVED", "PRIMARY"],
        ImageLaterality="L", ViewCodeSequence=code("R-10226", "SRT"),
    ),
    "hologic_generated": vendor(
        "synthetic_2d", "R", "CC", SOPClassUID=BTO, Manufacturer="HOLOGIC, Inc.",
        ImageType=["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"],
        FrameLaterality="R", ViewCodeSequence=code(CC),
    ),
    "hologic_bto": vendor(
        "dbt", "L", "CC", SOPClassUID=BTO, Manufacturer="HOLOGIC, Inc.", NumberOfFrames=3,
        ImageType=["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "NONE"], FrameLaterality="L",
        ViewCodeSequence=code(CC),
    ),
    "ge_ffdm": vendor(
        "ffdm", "R", "ML", SOPClassUID=FFDM, Manufacturer="GE MEDICAL SYSTEMS",
        ManufacturerModelName="Senograph Essential", ImageType=["ORIGINAL", "PRIMARY", ""],
        ImageLaterality="R", ViewCodeSequence=code(ML), PaddleDescription="SPOT COMP",
        modifiers=["spot"],
    ),
    "ge_processing": vendor(
        "ffdm_raw", "L", "CC", SOPClassUID=RAW, Manufacturer="GE MEDICAL SYSTEMS",
        PresentationIntentType="FOR PROCESSING", ImageType=["ORIGINAL", "PRIMARY"],
        Laterality="L", ViewPosition="CC",
    ),
    "ge_vpreview": vendor(
        "synthetic_2d", "R", "MLO", SOPClassUID=FFDM, Manufacturer="GE MEDICAL SYSTEMS",
        SeriesDescription="R MLO V-Preview",
        ImageType=["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"],
        ImageLaterality="R", ViewCodeSequence=code(MLO),
    ),
    "ge_bto": vendor(
        "dbt", "R", "MLO", SOPClassUID=BTO, Manufacturer="GE MEDICAL SYSTEMS", NumberOfFrames=2,
        ImageType=["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "NONE"], FrameLaterality="R",
        ViewCodeSequence=code(MLO),
    ),
    "siemens_ffdm": vendor(
        "ffdm", "L", "MLO", SOPClassUID=FFDM, Manufacturer="SIEMENS",
        ManufacturerModelName="MAMMOMAT Inspiration",
        ImageType=["ORIGINAL", "PRIMARY", "", "", "", "", "", "150000"],
        ImageLaterality="L", ViewPosition="MLO", PatientOrientation=["A", "FR"],
    ),
    "siemens_tomo2d": vendor(
        "synthetic_2d", "R", "CC", SOPClassUID=FFDM, Manufacturer="SIEMENS",
        ImageType=["DERIVED", "PRIMARY", "TOMO_2D", "RIGHT", "", "", "", "150000"],
        ImageLaterality="R", ViewCodeSequence=code("R-10242", "SRT"),
    ),
    "siemens_bto": vendor(
        "dbt", "L", "MLO", SOPClassUID=BTO, Manufacturer="SIEMENS", NumberOfFrames=4,
        ImageType=["DERIVED", "PRIMARY", "TOMO", "NONE"], ImageLaterality="L",
        ViewCodeSequence=code(MLO),
    ),
    "fuji_ffdm": vendor(
        "ffdm", "R", "CC", SOPClassUID=FFDM, Manufacturer="FUJIFILM Corporation",
        ManufacturerModelName="FDR-3000AWS", ImageType=["ORIGINAL", "PRIMARY"],
        ImageLaterality="R", ViewCodeSequence=code(CC, modifiers=["399209000"]),
        modifiers=["implant_displaced"], BreastImplantPresent="YES",
    ),
    "fuji_sview": vendor(
        "synthetic_2d", "L", "CC", SOPClassUID=FFDM, Manufacturer="FUJIFILM Corporation",
        SeriesDescription="S-View L CC", ImageType=["DERIVED", "PRIMARY"],
        ImageLaterality="L", ViewPosition="CC",
    ),
    "fuji_generated": vendor(
        "synthetic_2d", "R", "MLO", SOPClassUID=FFDM, Manufacturer="FUJIFILM Corporation",
        ImageType=["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D", "", "", "", "100000"],
        ImageLaterality="R", ViewPosition="MLO",
    ),
    "fuji_model": vendor(
        "synthetic_2d", "L", "ML", SOPClassUID=FFDM, Manufacturer="FUJIFILM Corporation",
        ManufacturerModelName="FDR-3000AWS", ImageType=["DERIVED", "PRIMARY"],
        ImageLaterality="L", ViewCodeSequence=code(ML),
    ),
    "philips_ffdm": vendor(
        "ffdm", "R", "MLO", SOPClassUID=FFDM, Manufacturer="Philips Medical Systems",
        ManufacturerModelName="MicroDose SI", ImageType=["DERIVED", "PRIMARY", "POST_PROCESSED"],
        ImageLaterality="R", ViewCodeSequence=code("R-10226", "SNM3"),
    ),
    "philips_processing": vendor(
        "ffdm_raw", "L", "CC", SOPClassUID=RAW, Manufacturer="Philips Medical Systems",
        PresentationIntentType="FOR PROCESSING", ImageType=["ORIGINAL", "PRIMARY"],
        ImageLaterality="L", ViewPosition="CC",
    ),
    "planmed_ffdm": vendor(
        "ffdm", "L", "LM", SOPClassUID=FFDM, Manufacturer="Planmed",
        ManufacturerModelName="Nuance", ImageType=["DERIVED", "PRIMARY"],
        Laterality="L", ViewPosition="LM",
    ),
    "planmed_processing": vendor(
        "ffdm_raw", "R", "CC", SOPClassUID=RAW, Manufacturer="Planmed",
        ImageType=["ORIGINAL", "PRIMARY"], ImageLaterality="R", ViewPosition="CC",
    ),
}  # fmt: skip
