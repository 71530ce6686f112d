"""The one test of this room that runs as a user does: Ray, decode children, pictures and masks."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mgray.ingest.config import IngestConfig
from mgray.ingest.pipeline import ingest
from mgray.reports.findings import FindingsConfig, draw_table
from tests.sources.mini_cbis import Cbis

BOX = (8, 40, 18, 52)


@pytest.mark.ray
def test_pictures_with_masks_become_a_table_and_a_picture_of_it(ray_cluster, tmp_path):
    cbis = Cbis(tmp_path / "cbis", "jpeg")
    cbis.abnormality(cbis.film(boxes=[BOX]), BOX, pathology="MALIGNANT")
    told = {"source": "cbis_ddsm", "archive": cbis.write(), "out": tmp_path / "table"}
    manifest = ingest(IngestConfig(**told, workers=1))
    assert (manifest.rows, manifest.quarantined) == (1, 0)
    (shard,) = (tmp_path / "table" / "images").glob("part-*.parquet")
    (row,) = pq.read_table(shard).to_pylist()
    assert [one["coords"] for one in row["annotations"]] == [list(BOX)]
    out = tmp_path / "picture.png"
    config = FindingsConfig(source="cbis_ddsm", table=tmp_path / "table", out=out)
    assert draw_table(config) == 1
    assert (230, 60, 50) in set(map(tuple, np.asarray(Image.open(out)).reshape(-1, 3).tolist()))
