"""ECG strips on paper scale: 25 mm a second and 10 mm a millivolt in print.

Nothing here touches matplotlib's global state, so strips may be drawn in several threads at once.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline

from reports.formats import DPI
from reports.lanes import draw_lanes, lanes_mm, legend
from reports.lettering import INK, PALE, printable, write
from reports.scale import FOOTER_MM, MM_PER_INCH, MM_PER_MV, MM_PER_S, PULSE_MM, x_mm
from reports.strip import Strip, StripEvidence

EVIDENCE_MM = 5.0  # height of the greatest evidence, below the trace
LEAST_UP_MM, LEAST_DOWN_MM = 15.0, 10.0
MOST_UP_MM, MOST_DOWN_MM = 35.0, 30.0  # what goes further leaves the paper, as on a recorder
ROOM_MM = 2.0  # between the trace's extremes and the row's edge
SHOWN_GAP_S = 0.4  # a gap from there on is named; a shorter one is a break in the line

MINOR, MAJOR = "#f7dcdc", "#ecb3b3"
EVIDENCE = "#5a3fb0"
TINTS = {"normal": None, "abnormal": "#ffb84d", "unusable": "#9aa3ab"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """Place of one lead's trace, mm: the zero line above the strip's foot, and the room above and below it."""

    zero_mm: float
    up_mm: float
    down_mm: float
    trace_mm: npt.NDArray[np.float64]
    leaves: bool


def draw_strip(strip: Strip) -> Figure:
    """A strip as a figure of its own, of just the size that its scale asks for."""
    width_mm, height_mm = size_mm(strip)
    figure = Figure(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH), dpi=DPI)
    place_strip(figure, strip, left_mm=0.0, bottom_mm=0.0)
    return figure


def size_mm(strip: Strip) -> tuple[float, float]:
    """Width and height that a strip takes on paper, mm."""
    return PULSE_MM + strip.seconds * MM_PER_S + 1.0, _paper_mm(_rows(strip)) + FOOTER_MM + lanes_mm(strip) + 0.5


def place_strip(figure: Figure, strip: Strip, *, left_mm: float, bottom_mm: float) -> None:
    """Draw a strip onto a figure, true to scale whatever the figure's size.

    Parameters
    ----------
    figure : a page, or a figure of the strip's own
    strip : what to draw
    left_mm, bottom_mm : where its lower left corner goes, mm from the figure's
    """
    width_mm, height_mm = size_mm(strip)
    page_mm = figure.get_size_inches() * MM_PER_INCH
    axes = figure.add_axes(
        (left_mm / page_mm[0], bottom_mm / page_mm[1], width_mm / page_mm[0], height_mm / page_mm[1])
    )
    axes.set_axis_off()
    axes.set_xlim(0, width_mm)
    axes.set_ylim(0, height_mm)
    rows = _rows(strip)
    top_mm = FOOTER_MM + _paper_mm(rows)
    _draw_windows(axes, strip, top_mm)
    _draw_grid(axes, width_mm - 1.0, top_mm)
    for column, row in enumerate(rows):
        for evidence in strip.evidence:
            _draw_evidence(axes, strip, row, evidence, column)
        _draw_row(axes, strip, row, column)
    draw_lanes(axes, strip, top_mm)
    write(axes, 0.5, 1.2, "25 mm/s   10 mm/mV" + legend(strip), colour=PALE)


def _rows(strip: Strip) -> list[_Row]:
    """The rows from the top down; each zero line lies on a line of the grid."""
    shapes = []
    below_mm = EVIDENCE_MM if strip.evidence else 0.0
    for lead in strip.samples_mv.T.astype(np.float64):
        known = lead[np.isfinite(lead)]
        # The resting line, not the electrode's offset, lies on the grid.
        trace_mm = (lead - (np.median(known) if known.size else 0.0)) * MM_PER_MV
        high, low = (np.nanmax(trace_mm), np.nanmin(trace_mm)) if known.size else (0.0, 0.0)
        up_mm = min(max(LEAST_UP_MM, 5 * np.ceil((high + ROOM_MM) / 5)), MOST_UP_MM)
        down_mm = min(max(LEAST_DOWN_MM, 5 * np.ceil((ROOM_MM - low) / 5)), MOST_DOWN_MM)
        leaves = bool(high > up_mm or -low > down_mm)
        shapes.append((up_mm, down_mm, np.clip(trace_mm, -down_mm, up_mm), leaves))
    foot_mm = FOOTER_MM + sum(up_mm + down_mm + below_mm for up_mm, down_mm, _, _ in shapes)
    rows = []
    for up_mm, down_mm, trace_mm, leaves in shapes:
        rows.append(
            _Row(zero_mm=foot_mm - up_mm, up_mm=up_mm, down_mm=down_mm + below_mm, trace_mm=trace_mm, leaves=leaves)
        )
        foot_mm -= up_mm + down_mm + below_mm
    return rows


def _paper_mm(rows: list[_Row]) -> float:
    return sum(row.up_mm + row.down_mm for row in rows)


def _draw_grid(axes: Axes, width_mm: float, top_mm: float) -> None:
    # Counted from the foot of the paper, where a row's edge is: every zero line is a multiple of 5 mm above it.
    for colour, width_pt, step in ((MINOR, 0.35, 1.0), (MAJOR, 0.6, 5.0)):
        x = np.arange(0, width_mm + 1e-6, step)
        y = np.arange(FOOTER_MM, top_mm + 1e-6, step)
        ends = [((a, FOOTER_MM), (a, top_mm)) for a in x] + [((0, b), (width_mm, b)) for b in y]
        # One path for all lines of a kind: a hundredth of the time and bytes of single lines.
        outline = Outline(np.array(ends).reshape(-1, 2), np.tile([Outline.MOVETO, Outline.LINETO], len(ends)))
        axes.add_artist(
            PathPatch(outline, fill=False, edgecolor=colour, linewidth=width_pt, zorder=2, gid=f"grid{step:g}")
        )


def _draw_row(axes: Axes, strip: Strip, row: _Row, column: int) -> None:
    pulse = np.array([(1, 0), (5, 0), (5, MM_PER_MV), (10, MM_PER_MV), (10, 0), (13, 0)])
    axes.plot(pulse[:, 0], pulse[:, 1] + row.zero_mm, color=INK, linewidth=0.8, zorder=4, gid=f"pulse{column}")
    times_mm = PULSE_MM + np.arange(len(row.trace_mm)) / strip.fs_hz * MM_PER_S
    axes.plot(
        times_mm,
        row.trace_mm + row.zero_mm,
        color=INK,
        linewidth=0.8,
        solid_joinstyle="round",
        zorder=4,
        gid=f"trace{column}",
    )
    missing = np.isnan(row.trace_mm)
    edges = np.flatnonzero(np.diff(missing, prepend=False, append=False))
    foot_mm, top_mm = row.zero_mm - row.down_mm, row.zero_mm + row.up_mm
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start >= SHOWN_GAP_S * strip.fs_hz:
            left_mm, right_mm = PULSE_MM + np.array([start, end]) / strip.fs_hz * MM_PER_S
            axes.fill_between(
                [left_mm, right_mm],
                foot_mm,
                top_mm,
                facecolor="#e9ecee",
                edgecolor="#b5bcc2",
                hatch="//",
                lw=0,
                zorder=3,
            )
            write(axes, (left_mm + right_mm) / 2, row.zero_mm + 2, "no signal", align="center", colour=PALE)
    write(axes, 1, top_mm - 3.5, printable(strip.leads[column], 14), size_pt=8.5, bold=True)
    if row.leaves:
        write(axes, PULSE_MM + 1, top_mm - 3.5, "the trace leaves the paper", colour=PALE)


def _draw_evidence(axes: Axes, strip: Strip, row: _Row, evidence: StripEvidence, column: int) -> None:
    """A soft band below the trace, the higher the more a part carried, and a breath of colour behind the trace."""
    weight = np.clip(evidence.weight[:, column], 0, 1)
    if not weight.any():
        return
    middle_s = evidence.start_s + (np.arange(len(weight)) + 0.5) * evidence.part_s
    fine_s = np.linspace(evidence.start_s, evidence.start_s + len(weight) * evidence.part_s, 8 * len(weight) + 1)
    fine_s = fine_s[(fine_s >= strip.start_s) & (fine_s <= strip.end_s)]
    height_mm = np.interp(fine_s, middle_s, weight) * EVIDENCE_MM
    foot_mm = row.zero_mm - row.down_mm
    axes.fill_between(
        [x_mm(strip, t) for t in fine_s], foot_mm, foot_mm + height_mm, color=EVIDENCE, alpha=0.45, lw=0, zorder=3
    )
    for number in np.flatnonzero(weight >= 0.25):
        start_s = evidence.start_s + number * evidence.part_s
        left_s, right_s = max(start_s, strip.start_s), min(start_s + evidence.part_s, strip.end_s)
        if left_s < right_s:
            axes.fill_between(
                [x_mm(strip, left_s), x_mm(strip, right_s)],
                foot_mm,
                row.zero_mm + row.up_mm,
                color=EVIDENCE,
                alpha=0.16 * float(weight[number]),
                lw=0,
                zorder=1,
            )


def _draw_windows(axes: Axes, strip: Strip, top_mm: float) -> None:
    for window in strip.windows:
        left_s, right_s = max(window.start_s, strip.start_s), min(window.end_s, strip.end_s)
        tint = TINTS[window.decision]
        if left_s < right_s and tint:
            axes.fill_between(
                [x_mm(strip, left_s), x_mm(strip, right_s)], FOOTER_MM, top_mm, color=tint, alpha=0.13, lw=0, zorder=0
            )
