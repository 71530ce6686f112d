"""One module per dataset: an archive and its annotations in, catalog rows out."""
