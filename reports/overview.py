"""A whole recording at a glance: decisions, score and heart rate over time."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bus.messages import Verdict
from ecg.urgency import SOUNDING
from reports.episodes import ReportFinding, span_s
from reports.lanes import DECISION_INK
from reports.lettering import FONT, INK, PALE, SMALL_PT, clock
from reports.scale import MM_PER_INCH

WIDTH_MM, HEIGHT_MM = 266.0, 62.0
LEFT_MM, RIGHT_MM = 26.0, 4.0
RIBBONS = {"normal": "#cfe3d4", "abnormal": "#e08a2e", "unusable": "#9aa3ab"}
PRIORITY_INK = dict(zip(SOUNDING, ("#b00020", "#c77700", "#3f6fa5"), strict=True))
STEPS_S = (1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800)
MOST_TICKS = 12


def draw_overview(
    verdicts: Sequence[Verdict], findings: Sequence[ReportFinding], *, start_s: float, end_s: float
) -> Figure:
    """The overview as a figure of its own.

    Parameters
    ----------
    verdicts, findings : what was found
    start_s, end_s : the span to show, s from the recording's start
    """
    figure = Figure(figsize=(WIDTH_MM / MM_PER_INCH, HEIGHT_MM / MM_PER_INCH))
    place_overview(figure, verdicts, findings, start_s=start_s, end_s=end_s, left_mm=0.0, bottom_mm=0.0)
    return figure


def place_overview(
    figure: Figure,
    verdicts: Sequence[Verdict],
    findings: Sequence[ReportFinding],
    *,
    start_s: float,
    end_s: float,
    left_mm: float,
    bottom_mm: float,
) -> None:
    """Draw the overview onto a figure, its lower left corner at a place in mm."""
    page_mm = figure.get_size_inches() * MM_PER_INCH

    def axes(foot_mm: float, height_mm: float) -> Axes:
        made = figure.add_axes(
            (
                (left_mm + LEFT_MM) / page_mm[0],
                (bottom_mm + foot_mm) / page_mm[1],
                (WIDTH_MM - LEFT_MM - RIGHT_MM) / page_mm[0],
                height_mm / page_mm[1],
            )
        )
        made.set_xlim(start_s, max(end_s, start_s + 1))
        made.tick_params(labelsize=SMALL_PT, colors=PALE, width=0.5, length=2)
        for side in made.spines.values():
            side.set_linewidth(0.5)
            side.set_color(PALE)
        return made

    span = end_s - start_s
    step = next((step for step in STEPS_S if span / step <= MOST_TICKS), STEPS_S[-1])
    ticks = np.arange(np.ceil(start_s / step) * step, end_s + 1e-6, step)
    rate, score = axes(6, 18), axes(27, 18)
    decisions, rhythm = axes(47.5, 4.5), axes(54, 7)
    _draw_rate(rate, verdicts)
    _draw_score(score, verdicts)
    _draw_decisions(decisions, verdicts)
    _draw_findings(rhythm, findings, start_s, end_s)
    for each in (rate, score, decisions, rhythm):
        each.set_xticks(ticks)
        each.xaxis.set_major_formatter(FuncFormatter(lambda t_s, _: clock(t_s)))
        each.tick_params(axis="x", labelbottom=each is rate)
    for label in (*rate.get_xticklabels(), *rate.get_yticklabels(), *score.get_yticklabels()):
        label.set_fontfamily(FONT)
    for each, text in (
        (rate, "heart rate\nper minute"),
        (score, "fused score"),
        (decisions, "decision"),
        (rhythm, "rhythm"),
    ):
        each.set_ylabel(
            text, rotation=0, ha="right", va="center", fontsize=SMALL_PT, color=INK, family=FONT, labelpad=14
        )


def _draw_rate(axes: Axes, verdicts: Sequence[Verdict]) -> None:
    times = [sum(span_s(verdict)) / 2 for verdict in verdicts]
    rates = [np.nan if verdict.heart_rate_bpm is None else verdict.heart_rate_bpm for verdict in verdicts]
    axes.plot(times, rates, color="#0b62b5", linewidth=0.8, marker="." if len(verdicts) < 30 else "", markersize=2.5)
    known = [rate for rate in rates if np.isfinite(rate)]
    axes.set_ylim(min([40.0, *known]) - 5, max([120.0, *known]) + 5)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.grid(axis="y", color="#e3e6e8", linewidth=0.4)


def _draw_score(axes: Axes, verdicts: Sequence[Verdict]) -> None:
    edges: list[float] = []
    scores: list[float] = []
    for verdict in verdicts:
        start_s, end_s = span_s(verdict)
        if edges and start_s > edges[-1]:  # windows of which nothing was received have no verdict
            scores.append(np.nan)
            edges.append(start_s)
        edges.extend([end_s] if edges else [start_s, end_s])
        scores.append(np.nan if verdict.fused is None else verdict.fused)
    if verdicts:
        axes.stairs(scores, edges, color="#7a4a00", linewidth=0.6, fill=True, alpha=0.5)
        axes.axhline(verdicts[0].threshold, color="#b00020", linewidth=0.6, linestyle=(0, (4, 2)))
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1])


def _draw_decisions(axes: Axes, verdicts: Sequence[Verdict]) -> None:
    for decision, colour in RIBBONS.items():
        spans = [span_s(verdict) for verdict in verdicts if verdict.decision == decision]
        axes.broken_barh(
            _joined(spans), (0, 1), facecolor=colour, edgecolor=DECISION_INK[decision], linewidth=0.0, label=decision
        )
    axes.set_yticks([])
    axes.set_ylim(0, 1)


def _draw_findings(axes: Axes, findings: Sequence[ReportFinding], start_s: float, end_s: float) -> None:
    """One line a priority, the most urgent at the top; each as wide as a hair at least."""
    least_s = (end_s - start_s) / 600
    for place, (priority, colour) in enumerate(reversed(PRIORITY_INK.items())):
        spans = [
            (found.start_s, max(found.end_s, found.start_s + least_s))
            for found in findings
            if found.priority == priority and not found.is_episode
        ]
        axes.broken_barh([(a, b - a) for a, b in spans], (place + 0.15, 0.7), facecolor=colour, linewidth=0)
    axes.set_ylim(0, 3)
    axes.set_yticks([0.5, 1.5, 2.5], [*reversed(PRIORITY_INK)], fontsize=5.5, family=FONT)


def _joined(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Spans that touch as one, as (start, length): ten hours are a few hundred bars, not seven thousand."""
    joined: list[list[float]] = []
    for start_s, end_s in spans:
        if joined and start_s - joined[-1][1] < 0.01:
            joined[-1][1] = end_s
        else:
            joined.append([start_s, end_s])
    return [(start_s, end_s - start_s) for start_s, end_s in joined]
