"""Arrow schemas of every table: meaning and unit of each column, in the column's own metadata.

Boxes are ``xyxy``, float, half-open, in the ``dicom`` frame: the stored pixel matrix as decoded,
before any flip, crop or resize; origin top left, x along columns.
"""

from typing import Final

import pyarrow as pa

from mgray.errors import SchemaError

TABLE_VERSION: Final = "7"
READER_VERSION: Final = "3"
"""Raised when the same file gives another row in the same columns: an ingest then reads its files
anew, while tables of before stay readable."""
VERSION_KEY: Final = b"mgray_table_version"

IMAGE_KINDS: Final = (
    "ffdm",
    "ffdm_raw",
    "synthetic_2d",
    "dbt",
    "dbt_slice",
    "dbt_projection",
    "film",
    "cesm",
    "sc",
    "unknown",
)
SPLITS: Final = ("train", "val", "test")
QC_FLAGS: Final = (
    "laterality_tag_vs_pixels",
    "box_clipped",
    "box_outside_image",
    "box_empty",
    "box_outside_breast",
    "polarity_suspect",
    "voi_missing",
    "monochrome1",
    "values_over_bits_stored",
    "near_empty",
    "missing_partner",
    "ambiguous_pair",
    "spot_or_mag",
    "implant",
    "for_processing",
    "syntax_mislabelled",
    "mip",
    "outside_blanked",
    "frame_hypothesis_mirrored",
    "frame_against_rule",
    "frame_undecided",
    "frame_by_vote",
    "orient_rotated",
    "mask_resized",
    "crop_mask_swapped",
    "mask_unreadable",
    "size_contradicted",
    "lesion_side_contradicted",
    "pathology_on_other_exam",
    "assumed_normal",
    "no_biopsy",
    "split_leak",
    "dup_view",
    "paired_by_time",
)


def _field(name: str, kind: pa.DataType, meaning: str, *, nullable: bool = True) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={b"meaning": meaning.encode()})


S, I32, F64, B = pa.string(), pa.int32(), pa.float64(), pa.bool_()

ANNOTATION: Final = pa.struct(
    [
        _field("finding_id", S, "one abnormality of a breast; equal in every image that shows it"),
        _field("shape", S, "box, of whatever was drawn; point: a box of one pixel around it"),
        _field("coords", pa.list_(F64), "x0, y0, x1, y1 of its box in pixels of the dicom frame"),
        _field("categories", pa.list_(S), "e.g. mass, calcification, spiculated"),
        _field("pathology", S, "malignant, benign, high_risk, other_cancer, negative or null"),
        _field("visible", B, "false where the finding is known not to show in this image"),
        _field("source", S, "who drew it, e.g. phantom, csv"),
        _field("clipped", B, "the box was cut at the image's edge"),
        _field("outline", pa.list_(F64), "x, y, x, y ... where more than a box was drawn; dicom"),
        _field("frame_index", I32, "frame of a volume that the box was drawn on, from 0"),
        _field("birads", I32, "BI-RADS assessment 0-6 of the finding"),
        _field("source_frame", S, "frame that the source gave it in, see sources.frames"),
    ]
)

IMAGE: Final = pa.schema(
    [
        # identity; ids are keyed pseudonyms, never a tag's value
        _field(
            "image_id",
            S,
            "dataset-prefixed pseudonym of the SOP instance UID; unique",
            nullable=False,
        ),
        _field("patient_id", S, "pseudonym; a patient is in one split only", nullable=False),
        _field("exam_id", S, "pseudonym of the study", nullable=False),
        _field("dataset", S, "name of the source", nullable=False),
        _field("licence_tag", S, "licence that travels with the row"),
        _field("adapter_version", S, "version of the source module"),
        _field("file_id", S, "pseudonym of the file's path; no path stands in the table"),
        _field("source_sha256", S, "of the file's bytes", nullable=False),
        _field("split", S, "train, val or test, by patient", nullable=False),
        _field("split_official", S, "split given by the dataset, if any"),
        # what is seen
        _field("image_kind", S, "one of IMAGE_KINDS", nullable=False),
        _field("kind_evidence", S, "which rule told the kind", nullable=False),
        _field("laterality", S, "L or R"),
        _field("laterality_source", S, "table, tag, filename or pixels"),
        _field("view", S, "CC, MLO, ML, LM, LMO, XCCL ..."),
        _field("view_modifiers", pa.list_(S), "spot, magnification, implant_displaced ..."),
        _field("pair_key", S, "exam, laterality and view; equal for FFDM and SM of one breast"),
        _field("pair_role", S, "ffdm, synthetic_2d or none"),
        # DICOM, keywords in snake case
        _field("sop_class_uid", S, "(0008,0016)"),
        _field("transfer_syntax_uid", S, "(0002,0010) as decoded"),
        _field("presentation_intent_type", S, "(0008,0068)"),
        _field("photometric_interpretation", S, "(0028,0004)"),
        _field("modality", S, "(0008,0060)"),
        _field("image_type", pa.list_(S), "(0008,0008); OTHER for a word we do not know"),
        _field("manufacturer", S, "(0008,0070), the maker's known name alone"),
        _field("manufacturer_model_name", S, "(0008,1090), the known name alone"),
        _field("rows", I32, "height of the dicom frame, pixels", nullable=False),
        _field("columns", I32, "width of the dicom frame, pixels", nullable=False),
        _field(
            "number_of_frames",
            I32,
            "of the file; above 1 the pixels are the volume's projection",
            nullable=False,
        ),
        _field("bits_allocated", I32, "(0028,0100)"),
        _field("bits_stored", I32, "(0028,0101)"),
        _field("pixel_representation", I32, "0 unsigned, 1 signed"),
        _field(
            "pixel_intensity_relationship_sign",
            I32,
            "(0028,1041): 1 if higher stored values are more X-ray, -1 if less",
        ),
        _field("pixel_padding_value", I32, "(0028,0120), stored values"),
        _field("pixel_padding_range_limit", I32, "(0028,0121), stored values"),
        _field("rescale_slope", F64, "(0028,1053)"),
        _field("rescale_intercept", F64, "(0028,1052)"),
        _field("window_center", pa.list_(F64), "(0028,1050), all values"),
        _field("window_width", pa.list_(F64), "(0028,1051), all values"),
        _field("voi_lut_function", S, "LINEAR, LINEAR_EXACT or SIGMOID"),
        _field(
            "voi_lut",
            pa.list_(F64),
            "first VOI LUT: first mapped value, bits, entries ...; null if none",
        ),
        _field("presentation_lut_shape", S, "(2050,0020)"),
        _field(
            "imager_pixel_spacing_mm", pa.list_(F64), "(0018,1164): row, column; detector plane"
        ),
        _field("pixel_spacing_mm", pa.list_(F64), "(0028,0030): row, column; only if calibrated"),
        _field("patient_orientation", pa.list_(S), "(0020,0020)"),
        # pixels
        _field(
            "pixels",
            pa.large_binary(),
            "HTJ2K codestream of the stored values, lossless; of their 5/3 low-pass band where "
            "pixel_reduce is above 0",
            nullable=False,
        ),
        _field(
            "pixel_reduce",
            I32,
            "wavelet levels that pixels lack: sides are ceil(n / 2**pixel_reduce), 0 is full size. "
            "Sizes, spacings and boxes of the row stay those of the dicom frame",
            nullable=False,
        ),
        _field("pixel_codec", S, "htj2k", nullable=False),
        _field(
            "pixel_offset",
            I32,
            "added to stored values before coding, so that signed ones fit",
            nullable=False,
        ),
        _field(
            "pixel_blake3",
            S,
            "BLAKE3 of the stored values at full size: 16 bits, row-major, little-endian",
            nullable=False,
        ),
        _field("pixels_face", S, "right if the breast touches the left edge, left, or unknown"),
        _field("breast_box", pa.list_(I32), "x0, y0, x1, y1 of the breast, dicom frame, half-open"),
        _field(
            "breast_mask",
            S,
            "the breast in breast_box as 64 x 64 cells, not mirrored: base64 of run lengths by row",
        ),
        _field(
            "cropper",
            S,
            "whose rule found breast_box, breast_mask and pixels_face",
            nullable=False,
        ),
        # labels: three independent axes, never derived from one another
        _field("birads", I32, "BI-RADS assessment 0-6"),
        _field("pathology", S, "of the image's worst finding"),
        _field("cancer", pa.int8(), "1, 0 or null (unknown)"),
        _field(
            "label_source",
            S,
            "pathology, registry, birads_proxy, assumed_normal, followup, simulation",
        ),
        _field("label_level", S, "finding, image, breast, exam or patient"),
        _field(
            "outcome_time_days",
            I32,
            "from the exam to the biopsy or exam that cancer and pathology are of; 0: this exam",
        ),
        _field("exam_order", I32, "of the patient's exams by date, from 0; equal days share one"),
        _field("density", S, "BI-RADS density a, b, c or d"),
        _field("age", pa.float32(), "years at the exam"),
        _field("annotations", pa.list_(ANNOTATION), "findings on this image", nullable=False),
        _field("qc_flags", pa.list_(S), "subset of QC_FLAGS", nullable=False),
        _field("extra_json", S, "unmapped columns of the source's table, as JSON; private"),
    ],
    metadata={VERSION_KEY: TABLE_VERSION.encode()},
)

ANNOTATION_FIELDS: Final = tuple(field.name for field in ANNOTATION)

PRIVATE: Final = ("extra_json",)
"""Columns that never leave the shards."""
PLACE: Final = pa.schema(
    [
        _field("shard", S, "file in the folder images", nullable=False),
        _field("pixels_at", pa.int64(), "first byte of pixels in the shard", nullable=False),
        _field("pixels_bytes", pa.int64(), "length of pixels", nullable=False),
        _field("pixels_crc32", pa.uint32(), "of the Parquet page that holds them", nullable=False),
    ]
)
HEADS: Final = pa.schema(
    [
        _field("head_bytes", pa.list_(I32), "first bytes of pixels, enough for 1/2, 1/4, 1/8 size"),
        _field("head_crc32", pa.list_(pa.uint32()), "of these bytes"),
    ]
)
"""What is read in place of all pixels where a smaller size will do; tables of before have none."""
INDEX: Final = pa.schema(
    [*(field for field in IMAGE if field.name not in ("pixels", *PRIVATE)), *PLACE, *HEADS],
    metadata=IMAGE.metadata,
)
"""``index.parquet``: every row of the image table but its pixels, and where these lie."""

QUARANTINE: Final = pa.schema(
    [
        _field("file_id", S, "pseudonym of the file's path: what logs may say", nullable=False),
        _field("source_sha256", S, "of the file's bytes; null if unreadable"),
        _field("reason", S, "a key of mgray.errors.REJECT_REASONS", nullable=False),
        _field("detail", S, "what was found, without patient data"),
    ],
    metadata={VERSION_KEY: TABLE_VERSION.encode()},
)

PAIR: Final = pa.schema(
    [
        _field("pair_key", S, "exam, laterality and view; sorted by it", nullable=False),
        _field("ffdm_image_id", S, "image_id of the FFDM", nullable=False),
        _field("synthetic_2d_image_id", S, "image_id of the SM", nullable=False),
        _field("dice", F64, "overlap of the breasts' masks, box on box, 0-1; null: no breast"),
        _field("centroid_offset", F64, "of the masks, share of the box's side; null: no breast"),
    ],
    metadata={VERSION_KEY: TABLE_VERSION.encode()},
)
"""Pairs of one FFDM and one SM, as training aligns them: ``pairs.parquet`` beside the images."""

DETECTION: Final = pa.struct(
    [
        _field("box", pa.list_(F64), "x0, y0, x1, y1 in pixels of the dicom frame"),
        _field("score", F64, "0-1"),
        _field("label", S, "benign or malignant"),
    ]
)

PATHS: Final = pa.schema(
    [
        _field("file_id", S, "pseudonym of the path", nullable=False),
        _field("source_path", S, "path below the archive's root", nullable=False),
    ],
    metadata={VERSION_KEY: TABLE_VERSION.encode()},
)
"""The archive owner's side table: written only if asked for, and read by nothing here."""

PREDICTION: Final = pa.schema(
    [
        _field("model", S, "sm, ffdm, fused, upper_bound ...", nullable=False),
        _field("image_id", S, "image in whose dicom frame the boxes are", nullable=False),
        _field(
            "pair_key", S, "key shared by the models' images of one breast and view", nullable=False
        ),
        _field("patient_id", S, "pseudonym", nullable=False),
        _field("split", S, "train, val or test", nullable=False),
        _field("detections", pa.list_(DETECTION), "by falling score", nullable=False),
    ],
    metadata={VERSION_KEY: TABLE_VERSION.encode()},
)


def check_version(schema: pa.Schema, what: str) -> None:
    """Refuse a table that this version cannot read.

    Args:
        schema: As read from a file.
        what: What the table is, for the message, e.g. ``image table``.

    Raises:
        SchemaError: No version, or another one.
    """
    found = (schema.metadata or {}).get(VERSION_KEY, b"none").decode()
    if found != TABLE_VERSION:
        raise SchemaError(
            f"{what} has format version {found}, expected {TABLE_VERSION}: "
            "ingest the archive again into a new folder"
        )
