"""DICOM files in, headers and pixels out: the only room that reads hostile bytes.

``read_record`` (``record``) or ``DecodeChild`` (``child``) turn a file into columns of the image
table; ``read_stored`` and ``read_display`` (``pixels``) turn such columns back into arrays.
"""
