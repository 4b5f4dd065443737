"""A picture of a paper ECG read: samples in millivolts, and how sure each is."""

from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt
from scipy.stats import theilslopes

from ecg.errors import EcgStreamError
from ecg.records import MAX_LEADS, MISSING, Record
from paper.arrangement import Arrangement, Cell, arrange, labels_of
from paper.calibration import Pulse, agreeing, nearest_gain, pulses_in
from paper.ink import ink_of
from paper.layouts import layout_named
from paper.lettering import Word, gain_in, speed_in, titled_lead, writing_on
from paper.likeness import is_ecg
from paper.page import page_in
from paper.rows import Row, rows_of
from paper.sheet import PX_PER_MM, Sheet, sheet_of
from paper.straightening import Flat, lay_flat
from paper.strokes import strokes_in
from paper.tracing import follow, pen_px, row_levels

FloatArray = npt.NDArray[np.float64]
ByteArray = npt.NDArray[np.uint8]

FS_HZ = 500.0
GAIN_ADC = 1000.0  # units of a millivolt in the record: 1 microvolt each
SPEED_MM_S = 25.0  # where nothing says otherwise
GAIN_MM_MV = 10.0
_MOST_PX = 2400  # longer pictures are made smaller: a page of 300 mm has 8 pixels a millimetre then
_LEAST_PX = 200
_WIDE_PULSE_MM = 8.5  # from here the pulse of 0.2 s was drawn at 50 mm/s
_PULSE_MM = 5.0
_LEVEL = 0.0015  # slope of rows that counts as level: 0.4 mm on 270 mm
_PARTS = 16  # of a row, whose levels tell its slope
_ROW_S = 10.0  # of pages with
_SOME_NAMES = 3  # that are read, and half of all: letters of a chart may be taken for one or two
_MANY = 6  # leads and more
# By how much less a pulse tells the scale as well, and by how much more rows are of another length.
_ROW_OFF = 0.015, 0.06
_LEGIBLE = 4  # letters of a word that nobody reads upside down
_LEGIBLE_SCORE = 0.85


class NoEcgError(EcgStreamError):
    """A picture in which no ECG can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """Facts that a user gives about a page, before what is read on it.

    Attributes
    ----------
    layout : name of an arrangement of leads
    leads : names, down the columns and then of the strips
    mm_per_s, mm_per_mv : paper speed and gain
    px_per_mm : of the picture, where no grid is to be seen
    """

    layout: str | None = None
    leads: tuple[str, ...] | None = None
    mm_per_s: float | None = None
    mm_per_mv: float | None = None
    px_per_mm: float | None = None


NO_HINTS = Hints()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLead:
    """A lead as it was read.

    Attributes
    ----------
    cell : where it stands
    samples_mv : (n,) float64 at 500 Hz, NaN where nothing is seen
    start_s : where on the recording's time axis it begins
    confidence : of each second, 0 to 1: the share of it that was seen and is no other row's ink
    """

    cell: Cell
    samples_mv: FloatArray
    start_s: float
    confidence: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageReading:
    """A page as it was read.

    Attributes
    ----------
    record : all leads at 500 Hz
    leads : each as it stands on the page
    layout : its name
    mm_per_s, mm_per_mv : paper speed and gain
    sources : what says the scale, the speed, the gain and the names, for people
    doubts : what may be wrong, and what would help
    turned : quarter turns anticlockwise after which the picture stands upright
    sheet, rows : what was found on the way
    """

    record: Record
    leads: tuple[ReadLead, ...]
    layout: str
    mm_per_s: float
    mm_per_mv: float
    sources: dict[str, str]
    doubts: tuple[str, ...]
    turned: int
    sheet: Sheet
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    sheet: Sheet
    rows: list[Row]
    pulses: list[list[Pulse]]
    writing: list[Word]
    turned: int

    @property
    def score(self) -> float:
        """Count of what is on it as on an upright page."""
        leads = sum(word.lead is not None and len(word.text) > 1 for word in self.writing)
        texts = sum(len(word.text) >= _LEGIBLE and word.score > _LEGIBLE_SCORE for word in self.writing)
        return leads + texts + 2.0 * sum(bool(each) for each in self.pulses)


def read_page(image: ByteArray, *, name: str = "page", hints: Hints = NO_HINTS) -> PageReading:
    """Read the ECG in a picture.

    Parameters
    ----------
    image : (height, width, 3) uint8, blue, green, red
    name : of the record
    hints : what a user gives

    Raises
    ------
    NoEcgError : when no ECG is found
    """
    if min(image.shape[:2]) < _LEAST_PX:
        raise NoEcgError(
            f"the picture has {image.shape[1]} x {image.shape[0]} pixels, fewer than {_LEAST_PX} on a side: "
            "give one with at least 4 pixels a millimetre"
        )
    shrink = min(1.0, _MOST_PX / max(image.shape[:2]))
    if shrink < 1.0:
        image = np.asarray(cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8)
    found = _examine(image, hints, turned=0, shrink=shrink)
    # Upside down no pulse is seen, though a recogniser makes letters of letters; on its side there is no row either.
    for turned in (2, 1, 3):
        if found is not None and (any(found.pulses) or (turned != 2 and found.score >= 1.0)):
            break
        other = _examine(np.ascontiguousarray(np.rot90(image, turned)), hints, turned=turned, shrink=shrink)
        if other is not None and (found is None or other.score > found.score + 1.5):
            found = other
    if found is not None and not found.sheet.measured and not any(found.pulses):
        raise NoEcgError(
            "neither a grid nor a calibration pulse is seen in the picture, so nothing tells its scale: take it closer "
            "and in more light, or give the pixels of a millimetre (--px-per-mm of 'ecgstream digitise')"
        )
    if found is None:
        raise NoEcgError("no trace of an ECG is seen in the picture: take it closer, flatter and in more light")
    if len(found.rows) > MAX_LEADS:
        raise NoEcgError(
            f"{len(found.rows)} rows of traces are seen, more than the {MAX_LEADS} that a page may have: the grid is "
            "as dark as the traces; give a picture in colour, or one in more light"
        )
    return _reading(found, name, hints)


def _examine(image: ByteArray, hints: Hints, *, turned: int, shrink: float) -> _Found | None:
    """Find the traces in a picture that may stand upright."""
    ink = ink_of(image)
    page = page_in(image)
    if page is not None and page.holds(image, ink.grid):
        ink = ink_of(page.cut_out(image))
    else:
        page = None
    flat = lay_flat(ink)
    if flat.mm_px is None:
        flat = _level(flat)
    known = None
    if hints.px_per_mm is not None:
        known = (hints.px_per_mm * shrink, hints.px_per_mm * shrink)
    elif flat.mm_px is None:
        known = _scale_by_pulse(flat)
    sheet = sheet_of(flat, mm_px=known)
    if sheet is None:
        return None
    rows = _rows(sheet)
    if not rows:
        return None
    return _Found(
        sheet=replace(
            sheet,
            measured=flat.mm_px is not None or hints.px_per_mm is not None,
            to_picture=sheet.to_picture if page is None else page.in_picture(sheet.to_picture),
        ),
        rows=rows,
        pulses=agreeing([pulses_in(row) for row in rows]),
        writing=writing_on(sheet.ink, rows),
        turned=turned,
    )


def _rows(sheet: Sheet) -> list[Row]:
    strokes = strokes_in(sheet.ink)
    levels = row_levels(strokes, sheet.ink.shape[0])
    if not len(levels):
        return []
    paths = follow(strokes, levels)
    return rows_of(strokes, paths, pen_px(strokes, paths), sheet.ink)


def _level(flat: Flat) -> Flat:
    """Turn paper without a grid until its rows run level."""
    sheet = sheet_of(flat)
    slopes = [slope for row in (_rows(sheet) if sheet is not None else []) if (slope := _slope(row)) is not None]
    if not slopes or abs(np.median(slopes)) < _LEVEL:
        return flat
    height, width = flat.ink.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(np.degrees(np.arctan(np.median(slopes)))), 1.0)
    places = cv2.warpAffine(
        flat.to_picture, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    ink, grid = (
        np.asarray(cv2.warpAffine(part, turn, (width, height), flags=cv2.INTER_CUBIC), np.float32)
        for part in (flat.ink, flat.grid)
    )
    return Flat(ink=ink, grid=grid, to_picture=np.asarray(places, np.float32), mm_px=None)


def _slope(row: Row) -> float | None:
    """Return how much a row's level falls from column to column, by the middles of its parts; None of a short one."""
    first, last = row.ends
    edges = np.linspace(first, last, _PARTS + 1).astype(int)
    parts = [row.y_px[begin:end] for begin, end in pairwise(edges)]
    levels = [float(np.nanmedian(part)) if np.isfinite(part).mean() > 0.5 else np.nan for part in parts]
    middles = (edges[:-1] + edges[1:]) / 2
    seen = np.isfinite(levels)
    if seen.sum() < _PARTS / 2:
        return None
    return float(theilslopes(np.array(levels)[seen], middles[seen])[0])


def _scale_by_pulse(flat: Flat) -> tuple[float, float] | None:
    """Pixels of a millimetre of paper without a grid, by the pulses' shape and size; None where there are none."""
    sheet = sheet_of(flat)
    pulses = [pulse for row in _rows(sheet) for pulse in pulses_in(row)] if sheet is not None else []
    if sheet is None or not pulses:
        return None
    high = float(np.median([pulse.high_mm for pulse in pulses]))
    gain = nearest_gain(high / float(np.median([pulse.wide_mm for pulse in pulses])) * _PULSE_MM)
    px = high / gain * flat.ink.shape[1] / (sheet.ink.shape[1] / PX_PER_MM)
    return px, px


def _reading(found: _Found, name: str, hints: Hints) -> PageReading:
    doubts: list[str] = []
    sources: dict[str, str] = {}
    speed, sources["speed"] = _speed(found, hints)
    gain, sources["gain"] = _gain(found, hints)
    sources["scale"] = "grid" if found.sheet.measured else "calibration pulse"
    if hints.px_per_mm is not None:
        sources["scale"] = "given"
    for key, value, usual in (("speed", sources["speed"], "25 mm/s"), ("gain", sources["gain"], "10 mm/mV")):
        if value == "usual":
            doubts.append(f"the {key} is not seen on the page: {usual} is taken")
    labels = labels_of(found.writing, found.rows)
    layout = layout_named(hints.layout) if hints.layout is not None else None
    arrangement = arrange(
        found.rows, labels, found.pulses, layout=layout, leads=hints.leads, title=titled_lead(found.writing)
    )
    named = sum(cell.named for cell in arrangement.cells)
    sources["names"] = "given" if hints.leads else "read" if named == len(arrangement.cells) else "by the layout"
    if named < len(arrangement.cells) / 2:
        doubts.append(f"{named} of {len(arrangement.cells)} lead names are read: the others are taken from the layout")
    px_per_s = speed * PX_PER_MM
    # By its writing, which no chart has, or by somebody who sees that it is one.
    known = (
        named >= max(_SOME_NAMES, len(arrangement.cells) / 2)
        or {"written", "given"} & {sources["speed"], sources["gain"]}
        or hints.layout is not None
        or hints.leads is not None
    )
    if not known and not is_ecg(found.rows, found.sheet.ink, px_per_s=px_per_s):
        raise NoEcgError(
            "the lines in the picture do not look like an ECG: no beats that are alike, or more ink beside the traces "
            "than in them; if it is one, cut away what is around it, or name its layout or leads (--layout, --leads of "
            "'ecgstream digitise')"
        )
    if not found.sheet.measured and arrangement.layout != "rows" and len(arrangement.cells) >= _MANY:
        px_per_s, said = _by_rows_of_10_s(arrangement, px_per_s)
        sources["scale"] += said
        doubts.append("no grid is seen: give a picture in colour, or the pixels of a millimetre (--px-per-mm)")
    leads = tuple(_lead(cell, found.rows[cell.row], px_per_s, gain) for cell in arrangement.cells)
    return PageReading(
        record=_record(leads, name, arrangement),
        leads=leads,
        layout=arrangement.layout,
        mm_per_s=speed,
        mm_per_mv=gain,
        sources=sources,
        doubts=tuple(doubts),
        turned=found.turned,
        sheet=found.sheet,
        rows=tuple(found.rows),
    )


def _speed(found: _Found, hints: Hints) -> tuple[float, str]:
    if hints.mm_per_s is not None:
        return hints.mm_per_s, "given"
    written = speed_in(found.writing)
    if written is not None:
        return written, "written"
    wide = [pulse.wide_mm for each in found.pulses for pulse in each]
    if found.sheet.measured and wide and np.median(wide) > _WIDE_PULSE_MM:
        return 50.0, "calibration pulse"
    return SPEED_MM_S, "usual"


def _gain(found: _Found, hints: Hints) -> tuple[float, str]:
    if hints.mm_per_mv is not None:
        return hints.mm_per_mv, "given"
    high = [pulse.high_mm for each in found.pulses for pulse in each]
    if high:
        return nearest_gain(float(np.median(high))), "calibration pulse"
    written = gain_in(found.writing)
    return (written, "written") if written is not None else (GAIN_MM_MV, "usual")


def _by_rows_of_10_s(arrangement: Arrangement, px_per_s: float) -> tuple[float, str]:
    """Return the pixels of a second by the rows of a page without a grid, and how to say so.

    A pulse of 5 mm tells the scale to some hundredths, and the rows of pages with many leads last ten seconds.
    """
    long = max(cell.start_px + cell.end_px - cell.begin_px for cell in arrangement.cells)
    if not _ROW_OFF[0] < abs(long / px_per_s / _ROW_S - 1) < _ROW_OFF[1]:
        return px_per_s, ""
    return long / _ROW_S, ", rows of 10 s"


def _lead(cell: Cell, row: Row, px_per_s: float, mm_per_mv: float) -> ReadLead:
    """Samples of a lead's stretch of a row; 0 mV is where it dwells: its median."""
    part = row.y_px[cell.begin_px : cell.end_px]
    hidden = row.hidden[cell.begin_px : cell.end_px]
    n = max(1, round(len(part) / px_per_s * FS_HZ))
    # A column's line lies in its middle.
    place = np.arange(n) / FS_HZ * px_per_s - 0.5
    seen = np.nonzero(np.isfinite(part))[0]
    if not len(seen):
        return ReadLead(cell=cell, samples_mv=np.full(n, np.nan), start_s=cell.start_px / px_per_s, confidence=())
    y = np.interp(place, seen, part[seen])
    nearest = np.clip(np.rint(place).astype(int), 0, len(part) - 1)
    missing = ~np.isfinite(part[nearest])
    samples = (float(np.nanmedian(part)) - y) / PX_PER_MM / mm_per_mv
    samples[missing] = np.nan
    good = ~missing & ~hidden[nearest]
    size = round(FS_HZ)
    confidence = tuple(round(float(good[first : first + size].mean()), 2) for first in range(0, n, size))
    return ReadLead(cell=cell, samples_mv=samples, start_s=cell.start_px / px_per_s, confidence=confidence)


def _record(leads: tuple[ReadLead, ...], name: str, arrangement: Arrangement) -> Record:
    """All leads on one time axis; of a lead that stands on the page twice the longer one."""
    ends = [round(lead.start_s * FS_HZ) + len(lead.samples_mv) for lead in leads]
    names = list(dict.fromkeys(lead.cell.lead for lead in leads))
    samples = np.full((max(ends), len(names)), MISSING, np.int16)
    going_on = arrangement.layout == "rows"
    for lead in sorted(leads, key=lambda each: len(each.samples_mv)):
        column = names.index(lead.cell.lead)
        first = round(lead.start_s * FS_HZ)
        units = np.clip(np.nan_to_num(lead.samples_mv) * GAIN_ADC, -32000, 32000)
        own = np.where(np.isfinite(lead.samples_mv), np.rint(units), MISSING).astype(np.int16)
        if not going_on:
            samples[:, column] = MISSING
        samples[first : first + len(own), column] = own
    return Record(
        name=name,
        fs_hz=FS_HZ,
        leads=tuple(names),
        gain=(GAIN_ADC,) * len(names),
        baseline=(0,) * len(names),
        samples=samples,
    )
