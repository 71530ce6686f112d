"""DICOM files in, headers and pixels out: the only room that reads hostile bytes."""
