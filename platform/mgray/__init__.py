"""Mammography on Ray: DICOM to Parquet, multi-stage distillation, tuning, serving."""

__version__ = "0.1.0"
