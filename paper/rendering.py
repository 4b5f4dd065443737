"""ECGs drawn on paper from samples, with the truth of what was drawn: what the reader is measured on."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from paper.layouts import STANDARD, layout_named

FloatArray = npt.NDArray[np.float64]
ByteArray = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]  # blue, green, red, as OpenCV has them
FONTS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono", "DejaVuSerif", "STIXGeneral")  # they come with matplotlib
_FINER = 3  # ink is drawn so much larger and made smaller again: OpenCV's lines are whole pixels wide
_SHIFT = 4  # binary places of a pixel in OpenCV's coordinates
MARGIN_MM = 8.0
PULSE_MM = 5.0  # width of a calibration pulse of 0.2 s at 25 mm/s; devices print it so at other speeds, too
_BEFORE_TRACE_MM = 12.0  # room for the pulse


@dataclass(frozen=True, slots=True, kw_only=True)
class PageStyle:
    """A way to draw an ECG on paper.

    Attributes
    ----------
    layout : name of an arrangement of leads, see ``paper.layouts``
    order : lead names down the columns
    strips : lead names of the rhythm strips
    mm_per_s, mm_per_mv : paper speed and gain
    seconds : length of a whole row
    px_per_mm : resolution
    row_mm : distance of rows
    paper, minor, major, ink : colours; ``minor`` None draws the 5 mm lines alone, ``major`` None no grid
    pen_mm : width of the trace
    font, font_mm : of what is written
    labels : whether lead names are written
    legend : whether speed and gain are written
    pulse : whether calibration pulses are drawn
    ticks : whether short lines part the columns
    """

    layout: str = "3x4+1"
    order: tuple[str, ...] = STANDARD
    strips: tuple[str, ...] = ("II", "V1", "V5")
    mm_per_s: float = 25.0
    mm_per_mv: float = 10.0
    seconds: float = 10.0
    px_per_mm: float = 6.0
    row_mm: float = 30.0
    paper: Colour = (255, 255, 255)
    minor: Colour | None = (215, 215, 255)
    major: Colour | None = (170, 170, 255)
    ink: Colour = (20, 20, 20)
    pen_mm: float = 0.35
    font: str = "DejaVuSans"
    font_mm: float = 3.2
    labels: bool = True
    legend: bool = True
    pulse: bool = True
    ticks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnTrace:
    """A lead as it lies on a page.

    Attributes
    ----------
    lead, row : its name, and its row from the top
    start_s : where on the time axis of the recording it begins
    samples_mv : (n,) float64
    x_px, y_px : (n,) float64, where each lies in the picture
    """

    lead: str
    row: int
    start_s: float
    samples_mv: FloatArray
    x_px: FloatArray
    y_px: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnPage:
    """A drawn page and its truth.

    Attributes
    ----------
    image : (height, width, 3) uint8, blue, green, red
    traces : what was drawn
    fs_hz : sampling rate of the truth
    style : how it was drawn
    """

    image: ByteArray
    traces: tuple[DrawnTrace, ...]
    fs_hz: float
    style: PageStyle


def draw_page(leads_mv: Mapping[str, FloatArray], fs_hz: float, style: PageStyle) -> DrawnPage:
    """Draw a recording on paper.

    Parameters
    ----------
    leads_mv : (n,) samples of each lead, at least as long as a row
    fs_hz : their sampling rate
    style : how to draw
    """
    layout = layout_named(style.layout)
    scale = style.px_per_mm
    row_s = style.seconds
    width = round((2 * MARGIN_MM + _BEFORE_TRACE_MM + row_s * style.mm_per_s) * scale)
    top_mm = MARGIN_MM + style.row_mm * 0.6
    height = round((top_mm + layout.all_rows * style.row_mm + MARGIN_MM) * scale)
    mask = np.zeros((height * _FINER, width * _FINER), np.uint8)
    x0_mm = MARGIN_MM + _BEFORE_TRACE_MM
    traces: list[DrawnTrace] = []
    texts: list[tuple[str, float, float]] = []
    for lead, row, column, span in layout.cells(style.order, style.strips):
        trace = _lay_out(leads_mv[lead], fs_hz, style, (lead, row, column, span), (x0_mm, top_mm))
        traces.append(trace)
        _polyline(mask, trace.x_px, trace.y_px, style.pen_mm * scale)
        level = (top_mm + row * style.row_mm) * scale
        if style.pulse and column == 0:
            _pulse(mask, level, style)
        if style.ticks and column > 0:
            x = trace.x_px[0]
            _polyline(mask, np.array([x, x]), level + np.array([-3.0, 3.0]) * scale, style.pen_mm * scale)
        texts.append((lead, trace.x_px[0] / scale + 1.0, level / scale - style.row_mm * 0.38 - style.font_mm))
    if not style.labels:
        texts.clear()
    if style.legend:
        legend = f"{style.mm_per_s:g} mm/s   {style.mm_per_mv:g} mm/mV   0.05-150 Hz"
        texts.append((legend, x0_mm, height / scale - MARGIN_MM))
    mask = _with_texts(mask, texts, style)
    alpha = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)[:, :, None] / 255
    image = _grid(height, width, style) * (1 - alpha) + np.array(style.ink, np.float32) * alpha
    return DrawnPage(image=np.rint(image).astype(np.uint8), traces=tuple(traces), fs_hz=fs_hz, style=style)


def _lay_out(
    samples_mv: FloatArray,
    fs_hz: float,
    style: PageStyle,
    cell: tuple[str, int, int, int],
    origin_mm: tuple[float, float],
) -> DrawnTrace:
    """Lay a lead's part of a row on the page; its row's beginning and level lie at the origin, for the first row."""
    lead, row, column, span = cell
    x0_mm, top_mm = origin_mm
    cell_s = style.seconds / layout_named(style.layout).columns
    first, last = round(column * cell_s * fs_hz), round((column + span) * cell_s * fs_hz)
    part = np.asarray(samples_mv[first:last], np.float64)
    x_mm = x0_mm + (first + np.arange(len(part))) / fs_hz * style.mm_per_s
    y_mm = top_mm + row * style.row_mm - part * style.mm_per_mv
    return DrawnTrace(
        lead=lead,
        row=row,
        start_s=first / fs_hz,
        samples_mv=part,
        x_px=x_mm * style.px_per_mm,
        y_px=y_mm * style.px_per_mm,
    )


def _polyline(mask: ByteArray, x_px: FloatArray, y_px: FloatArray, pen_px: float) -> None:
    # A place counts from a pixel's upper left corner; OpenCV counts from its middle.
    places = (np.stack([x_px, y_px], axis=1) * _FINER - 0.5) * 2**_SHIFT
    thick = max(1, round(pen_px * _FINER))
    cv2.polylines(mask, [np.rint(places).astype(np.int32)], isClosed=False, color=255, thickness=thick, shift=_SHIFT)


def _pulse(mask: ByteArray, level_px: float, style: PageStyle) -> None:
    scale, high = style.px_per_mm, style.mm_per_mv
    x_mm = MARGIN_MM + np.array([0.0, 2.0, 2.0, 2.0 + PULSE_MM, 2.0 + PULSE_MM, 4.0 + PULSE_MM])
    up_mm = np.array([0.0, 0.0, high, high, 0.0, 0.0])
    _polyline(mask, x_mm * scale, level_px - up_mm * scale, style.pen_mm * scale)


@lru_cache(maxsize=64)
def _font(name: str, size_px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"), size_px)


def _with_texts(mask: ByteArray, texts: list[tuple[str, float, float]], style: PageStyle) -> ByteArray:
    finer = style.px_per_mm * _FINER
    canvas = Image.fromarray(mask)
    draw = ImageDraw.Draw(canvas)
    font = _font(style.font, round(style.font_mm * 1.3 * finer))
    for text, x_mm, y_mm in texts:
        draw.text((x_mm * finer, y_mm * finer), text, fill=255, font=font)
    return np.asarray(canvas)


def _grid(height: int, width: int, style: PageStyle) -> npt.NDArray[np.float32]:
    image = np.empty((height, width, 3), np.float32)
    image[:] = style.paper
    for colour, step_mm, line_mm in ((style.minor, 1.0, 0.12), (style.major, 5.0, 0.22)):
        if colour is None or style.major is None:
            continue
        for axis, length in ((0, height), (1, width)):
            cover = _coverage(length, step_mm * style.px_per_mm, line_mm * style.px_per_mm)
            cover = cover[:, None, None] if axis == 0 else cover[None, :, None]
            image = image * (1 - cover) + np.array(colour, np.float32) * cover
    return image


def _coverage(length: int, step_px: float, line_px: float) -> npt.NDArray[np.float32]:
    """Share of each pixel that lines at every step cover: (length,) float32."""
    finer = 8
    place = (np.arange(length * finer) + 0.5) / finer
    apart = np.abs((place + step_px / 2) % step_px - step_px / 2)
    inside: npt.NDArray[np.float32] = (apart <= line_px / 2).reshape(length, finer).mean(axis=1).astype(np.float32)
    return inside
