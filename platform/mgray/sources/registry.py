"""All datasets by name. A new one is its module, its miniature in the tests, and a line here."""

import difflib
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import AfterValidator

from mgray.sources.bcs_dbt import BcsDbtSource
from mgray.sources.cbis_ddsm import CbisDdsmSource
from mgray.sources.cmmd import CmmdSource
from mgray.sources.csaw_cc import CsawCcSource
from mgray.sources.csv_table import CsvSource
from mgray.sources.ddsm import DdsmSource
from mgray.sources.embed import EmbedSource
from mgray.sources.inbreast import InbreastSource
from mgray.sources.mini_mias import MiniMiasSource
from mgray.sources.nyu_exam_list import NyuExamListSource
from mgray.sources.omi_db import OmiDbSource
from mgray.sources.phantom import PhantomSource
from mgray.sources.rsna import RsnaSource
from mgray.sources.samples import SamplesSource
from mgray.sources.source import Source
from mgray.sources.t_synth import TSynthSource
from mgray.sources.vindr_mammo import VindrMammoSource

SOURCES: Final[Mapping[str, Source]] = {
    source.name: source
    for source in (
        PhantomSource(),
        CsvSource(),
        SamplesSource(),
        EmbedSource(),
        RsnaSource(),
        VindrMammoSource(),
        CbisDdsmSource(),
        InbreastSource(),
        BcsDbtSource(),
        CmmdSource(),
        CsawCcSource(),
        OmiDbSource(),
        MiniMiasSource(),
        DdsmSource(),
        NyuExamListSource(),
        TSynthSource(),
    )
}


def known(name: str) -> str:
    """Give back a dataset's name.

    Raises:
        ValueError: No such dataset; names the nearest and all.
    """
    if name not in SOURCES:
        near = difflib.get_close_matches(name, SOURCES, n=1, cutoff=0.0)
        raise ValueError(f"did you mean {near[0]!r}? Known: {', '.join(SOURCES)}")
    return name


SourceName = Annotated[str, AfterValidator(known)]
"""A key of ``SOURCES``, for configs."""
