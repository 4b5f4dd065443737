"""Pages for `ecgstream bench paper`: drawn from records that nothing was tuned to be tested on, seeded."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg.filters import band_pass, resample
from ecg.labels import DS1
from ecg.wfdb_files import load_record
from paper.ageing import WAYS, age
from paper.layouts import CABRERA, STANDARD
from paper.rendering import FONTS, DrawnPage, PageStyle, draw_page
from paper.samples12 import twelve_leads

ByteArray = npt.NDArray[np.uint8]

FS_HZ = 500
_LONGEST_S = 22.0
_SETTLED_S = 2  # the filter's beginning is not drawn
_DRAWN_HZ = (0.5, 100.0)  # band of what is drawn: devices print 0.05 to 150 Hz, baseline wander apart
_LAYOUTS = ("3x4", "3x4+1", "3x4+2", "3x4+3", "6x2", "6x2+1", "12x1", "1x1")
_GRIDS = (
    ((215, 215, 255), (170, 170, 255)),
    ((200, 210, 255), (140, 160, 250)),
    ((210, 240, 215), (150, 215, 160)),
    ((225, 225, 225), (190, 190, 190)),
    ((240, 240, 252), (225, 225, 245)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgedPage:
    """A page to be read.

    Attributes
    ----------
    name : of it
    way : in which it was aged; "clean" for none
    image : (height, width, 3) uint8
    drawn : the truth
    """

    name: str
    way: str
    image: ByteArray
    drawn: DrawnPage


def pages(folder: Path, *, count: int, seed: int) -> Iterator[AgedPage]:
    """Draw pages from MIT-BIH's DS1, every second one aged.

    The two leads of a record are made into twelve, see ``paper.samples12``.

    Parameters
    ----------
    folder : of the records
    count : of pages
    seed : decides record, place, style and ageing of each
    """
    ways = list(WAYS)
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        record = load_record(str(rng.choice(DS1)), folder)
        start = int(rng.uniform(10, record.seconds - _LONGEST_S - 10) * record.fs_hz)
        part = record.samples[start : start + round(_LONGEST_S * record.fs_hz)].astype(np.float64)
        both = ((part - record.baseline) / record.gain).T.astype(np.float32)
        level = band_pass(resample(both, record.fs_hz, to_hz=FS_HZ), FS_HZ, band_hz=_DRAWN_HZ).astype(np.float64)
        settled = level[:, _SETTLED_S * FS_HZ :]
        leads = twelve_leads(settled[0], settled[1], rng)
        style = _style(rng, _LAYOUTS[number // 2 % len(_LAYOUTS)])
        drawn = draw_page(leads, FS_HZ, style)
        way = "clean" if number % 2 == 0 else ways[number // 2 % len(ways)]
        image = drawn.image if way == "clean" else age(drawn.image, way, rng)
        yield AgedPage(name=f"{number}-{record.name}-{style.layout}-{way}", way=way, image=image, drawn=drawn)


def _style(rng: np.random.Generator, layout: str) -> PageStyle:
    minor, major = _GRIDS[int(rng.integers(len(_GRIDS)))]
    speed = float(rng.choice([25, 25, 25, 25, 50, 12.5])) if layout == "1x1" else 25.0
    return PageStyle(
        layout=layout,
        order=CABRERA if rng.random() < 0.15 and layout != "1x1" else STANDARD,
        mm_per_s=speed,
        mm_per_mv=float(rng.choice([10, 10, 10, 10, 5, 20] if layout == "1x1" else [10, 10, 10, 10, 5])),
        seconds=10.0 if speed <= 25 else 5.0,
        px_per_mm=float(rng.uniform(5, 9)),
        row_mm=18.0 if layout == "12x1" else float(rng.uniform(25, 34)),
        minor=minor,
        major=major,
        ink=(20, 20, 20) if rng.random() < 0.8 else (120, 40, 20),
        pen_mm=float(rng.uniform(0.25, 0.5)),
        font=str(rng.choice(FONTS)),
        font_mm=float(rng.uniform(2.4, 3.6)),
        legend=bool(rng.random() < 0.8) or speed != 25.0,
        ticks=bool(rng.random() < 0.3),
    )
