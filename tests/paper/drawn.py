"""Pages for the tests of the reader: drawn from the excerpts that come with the package."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import ecg.excerpts
from ecg.filters import band_pass, resample
from ecg.wfdb_files import load_record
from paper.rendering import DrawnPage, PageStyle, draw_page
from paper.samples12 import twelve_leads

FS_HZ = 500
EXCERPTS = Path(ecg.excerpts.__file__).parent / "excerpts"


@lru_cache(maxsize=4)
def leads_of(excerpt: str) -> dict[str, npt.NDArray[np.float64]]:
    record = load_record(excerpt, EXCERPTS)
    part = record.samples[: round(25 * record.fs_hz)].astype(np.float64)
    both = ((part - record.baseline) / record.gain).T.astype(np.float32)
    level = band_pass(resample(both, record.fs_hz, to_hz=FS_HZ), FS_HZ, band_hz=(0.5, 100.0)).astype(np.float64)
    return twelve_leads(level[0, 1000:], level[1, 1000:], np.random.default_rng(5))


def drawn_page(excerpt: str = "201-excerpt", **style: Any) -> DrawnPage:
    return draw_page(leads_of(excerpt), FS_HZ, PageStyle(**style))
