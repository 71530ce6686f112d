"""Catalog to image table on Ray Data; every file ends as a row or in quarantine."""
