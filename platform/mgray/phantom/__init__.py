"""Virtual breasts: paired FFDM and synthetic 2D mammograms with truth, as real DICOM."""
