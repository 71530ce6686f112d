"""Detections as DICOM objects: structured report, presentation state, secondary capture.

Needs the extra ``serve`` (highdicom). Nothing here is logged: the objects hold the patient's name.
"""
