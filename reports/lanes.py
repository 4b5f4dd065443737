"""Lanes above a strip's paper: time, verdicts, rhythm, beats."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from bus.messages import BeatClass
from reports.lettering import PALE, TEXT_PT, clock, write
from reports.scale import FOOTER_MM, x_mm
from reports.strip import Strip, StripBeat, StripFinding

LANE_MM = 4.5
LETTER_MM = 1.3  # mean width of a small letter
MAX_FINDING_LANES = 3
DECISION_INK = {"normal": "#2d6a3e", "abnormal": "#9c3d00", "unusable": "#4a5158"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatMark:
    """Mark of a class of beats: letter and shape, for those who see or print no colour."""

    letter: str
    shape: str
    colour: str
    name: str


MARKS: dict[BeatClass | None, BeatMark] = {
    "N": BeatMark(letter="N", shape="o", colour="#6b747c", name="normal"),
    "S": BeatMark(letter="S", shape="^", colour="#0b62b5", name="supraventricular"),
    "V": BeatMark(letter="V", shape="v", colour="#c01a1a", name="ventricular"),
    "F": BeatMark(letter="F", shape="D", colour="#8a1f8f", name="fusion"),
    "Q": BeatMark(letter="Q", shape="s", colour="#6b747c", name="paced or not classifiable"),
    None: BeatMark(letter="?", shape="x", colour="#6b747c", name="not classed"),
}


def lanes_mm(strip: Strip) -> float:
    """The height of all that stands above the paper, mm."""
    lanes = [True, strip.windows, strip.beats, strip.reference is not None]
    return LANE_MM * (sum(map(bool, lanes)) + len(finding_lanes(strip)))


def draw_lanes(axes: Axes, strip: Strip, foot_mm: float) -> None:
    """Draw time, verdicts, rhythm and beats upwards from the paper's upper edge, ``foot_mm`` above the drawing's."""
    y_mm = foot_mm
    if strip.reference is not None:
        _draw_beats(axes, strip, strip.reference, y_mm, "annotated", filled=False)
        y_mm += LANE_MM
    if strip.beats:
        _draw_beats(axes, strip, strip.beats, y_mm, "detected", filled=True)
        y_mm += LANE_MM
    for findings in reversed(finding_lanes(strip)):
        _draw_findings(axes, strip, findings, y_mm)
        y_mm += LANE_MM
    if strip.windows:
        _draw_decisions(axes, strip, y_mm)
        y_mm += LANE_MM
    for second in range(int(np.ceil(strip.start_s)), int(np.floor(strip.end_s)) + 1):
        at_mm = x_mm(strip, second)
        axes.plot([at_mm, at_mm], [y_mm, y_mm + 1.0], color=PALE, linewidth=0.5, zorder=3)
        if (second % 5 == 0 or second == int(np.ceil(strip.start_s))) and second < strip.end_s - 0.6:
            write(axes, at_mm + 0.6, y_mm + 1.1, clock(second), colour=PALE)


def _draw_beats(
    axes: Axes, strip: Strip, beats: tuple[StripBeat, ...], y_mm: float, title: str, *, filled: bool
) -> None:
    write(axes, 1, y_mm + 1.3, title, colour=PALE)
    for beat_class, mark in MARKS.items():
        times = [
            beat.t_s for beat in beats if beat.beat_class == beat_class and strip.start_s <= beat.t_s < strip.end_s
        ]
        at_mm = [x_mm(strip, t_s) for t_s in times]
        axes.plot(
            at_mm,
            [y_mm + 2.1] * len(at_mm),
            linestyle="none",
            marker=mark.shape,
            markersize=3.0 if beat_class == "N" else 4.5,
            markerfacecolor=mark.colour if filled else "white",
            markeredgecolor=mark.colour,
            markeredgewidth=0.8,
            zorder=5,
        )
        for x in at_mm:
            write(axes, x + 1.2, y_mm + 1.2, mark.letter, colour=mark.colour, bold=beat_class != "N")


def finding_lanes(strip: Strip) -> list[list[StripFinding]]:
    """The findings on a strip in lanes, so that neither lines nor names lie over each other.

    They are placed in their order; what finds no room in ``MAX_FINDING_LANES`` is not drawn.
    """
    lanes: list[list[StripFinding]] = []
    taken_mm: list[list[tuple[float, float]]] = []
    for finding in strip.findings:
        if finding.start_s >= strip.end_s or finding.end_s < strip.start_s:
            continue
        left_mm, right_mm = _extent_mm(strip, finding)
        end_mm = max(right_mm, left_mm + LETTER_MM * len(finding.text)) + 1.0
        free = (n for n, spans in enumerate(taken_mm) if all(end_mm <= a or left_mm >= b for a, b in spans))
        number = next(free, len(lanes))
        if number == MAX_FINDING_LANES:
            continue
        if number == len(lanes):
            lanes.append([])
            taken_mm.append([])
        lanes[number].append(finding)
        taken_mm[number].append((left_mm, end_mm))
    return lanes


def _extent_mm(strip: Strip, finding: StripFinding) -> tuple[float, float]:
    return x_mm(strip, max(finding.start_s, strip.start_s)), x_mm(strip, min(finding.end_s, strip.end_s))


def _draw_findings(axes: Axes, strip: Strip, findings: list[StripFinding], y_mm: float) -> None:
    write(axes, 1, y_mm + 1.3, "rhythm", colour=PALE)
    for finding in findings:
        left_mm, right_mm = _extent_mm(strip, finding)
        axes.plot([left_mm, right_mm], [y_mm + 0.6] * 2, color=DECISION_INK["abnormal"], linewidth=1.6, zorder=5)
        write(axes, left_mm, y_mm + 1.5, finding.text, colour=DECISION_INK["abnormal"])


def _draw_decisions(axes: Axes, strip: Strip, y_mm: float) -> None:
    write(axes, 1, y_mm + 1.3, "verdict", colour=PALE)
    for window in strip.windows:
        left_s, right_s = max(window.start_s, strip.start_s), min(window.end_s, strip.end_s)
        if left_s >= right_s:
            continue
        left_mm = x_mm(strip, left_s)
        score = "" if window.score is None else f" {window.score:.2f}"
        ink = DECISION_INK[window.decision]
        write(axes, left_mm + 1.0, y_mm + 1.2, window.decision + score, size_pt=TEXT_PT, colour=ink, bold=True)
        axes.plot(
            [left_mm] * 2, [FOOTER_MM, y_mm + LANE_MM], color=PALE, linewidth=0.6, linestyle=(0, (4, 2)), zorder=3
        )


def legend(strip: Strip) -> str:
    """Return the meaning of the marks that are on the strip."""
    parts = []
    if strip.beats or strip.reference:
        seen = {beat.beat_class for beat in (*strip.beats, *(strip.reference or ()))}
        parts.append(", ".join(f"{mark.letter} {mark.name}" for name, mark in MARKS.items() if name in seen))
    if strip.evidence:
        parts.append("violet: what the verdict rests on")
    return "".join(f"   ·   {part}" for part in parts)
