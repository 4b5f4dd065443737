"""An evaluation as one HTML page for people: curves, confusions, and every record, the worst first."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from ecg.errors import EcgStreamError
from reports.formats import to_svg
from training.beat_comparison import EXTRA, MISSED
from training.figures import SCORES, Evaluation, Reliability, Score
from training.metrics import Scores, precision_recall_curve, roc_curve
from training.tally import UNCLASSIFIED, Tally, together

INCHES = (3.6, 3.6)
# Told apart by the colour-blind too, and by their strokes in print.
INK: dict[Score, tuple[str, str]] = {
    "fused": ("#1f4e8c", "-"),
    "cnn": ("#b3541e", "--"),
    "autoencoder": ("#5b7f2b", ":"),
}
CLASSES = ("N", "S", "V", "F", "Q")
Curve = tuple[Scores, Scores]
REFERENCE = (*CLASSES, EXTRA)
FOUND = (*CLASSES, UNCLASSIFIED, MISSED)


def write_report(
    file: Path,
    tallies: Mapping[str, Tally],
    evaluation: Evaluation,
    *,
    disturbed: Mapping[str, Evaluation | None] | None = None,
) -> None:
    """Write the page; it needs no other file and no network.

    Parameters
    ----------
    file : what to write
    tallies : what was counted, per record
    evaluation : its figures
    disturbed : figures of the same records under disturbances, by their names

    Raises
    ------
    EcgStreamError : when the file cannot be written
    """
    page = report(tallies, evaluation, disturbed=disturbed)
    try:
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise EcgStreamError(f"--html {file} cannot be written: {error.strerror}: name another file") from error


def report(
    tallies: Mapping[str, Tally],
    evaluation: Evaluation,
    *,
    disturbed: Mapping[str, Evaluation | None] | None = None,
) -> str:
    """The page as text; see ``write_report``."""
    environment = Environment(
        loader=PackageLoader("training"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["figure"] = _figure
    environment.filters["between"] = _between
    total = together(tallies.values())
    curves = (_roc(total), _precision_recall(total), _reliability(evaluation))
    return environment.get_template("evaluation.html.j2").render(
        evaluation=evaluation,
        scores=SCORES,
        curves=[to_svg(figure, prefix=f"curve-{number}") for number, figure in enumerate(curves)],
        worst_first=worst_first(evaluation),
        reference=REFERENCE,
        found=FOUND,
        disturbed={} if not disturbed else {"none": evaluation, **disturbed},
    )


def worst_first(evaluation: Evaluation) -> list[str]:
    """Record names by the share of windows that the fused score gets wrong; those without a window last."""
    accuracies = {name: record.windows.fused.accuracy for name, record in evaluation.per_record.items()}
    return sorted(accuracies, key=lambda name: (accuracies[name] is None, accuracies[name] or 0.0))


def _figure(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _between(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"


def _chart(
    curves: Mapping[Score, Curve],
    *,
    x: str,
    y: str,
    legend: Literal["lower left", "lower right", "upper left"],
    marker: str = "",
    diagonal: bool = False,
) -> Figure:
    """A square of fractions with one curve a score; a Figure without pyplot keeps nothing behind."""
    figure = Figure(figsize=INCHES, layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=x, ylabel=y, xlim=(0, 1), ylim=(0, 1.005), aspect="equal")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#dddddd", linewidth=0.6)
    if diagonal:
        axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8)
    for score, (xs, ys) in curves.items():
        colour, stroke = INK[score]
        axes.plot(xs, ys, color=colour, linestyle=stroke, marker=marker, markersize=4, label=score)
    if curves:
        axes.legend(loc=legend, frameon=False, fontsize="small")
    return figure


def _roc(total: Tally) -> Figure:
    labels = total.all_labels()
    drawable = labels.any() and not labels.all()
    curves = {score: roc_curve(labels, total.all_scores(score)) for score in SCORES if drawable}
    return _chart(curves, x="1 - specificity", y="sensitivity", legend="lower right")


def _precision_recall(total: Tally) -> Figure:
    labels = total.all_labels()
    curves: dict[Score, Curve] = {}
    for score in SCORES if labels.any() else ():
        precision, recall, _ = precision_recall_curve(labels, total.all_scores(score))
        curves[score] = recall, precision
    return _chart(curves, x="sensitivity (recall)", y="precision (+P)", legend="lower left")


def _reliability(evaluation: Evaluation) -> Figure:
    curves: dict[Score, Curve] = {}
    for score in SCORES:
        of: Reliability = getattr(evaluation.calibration, score)
        filled = [place for place in of.curve if place.n]
        if filled:
            curves[score] = (
                np.array([place.mean_score for place in filled], np.float64),
                np.array([place.abnormal_fraction for place in filled], np.float64),
            )
    return _chart(curves, x="mean score", y="fraction abnormal", legend="upper left", marker="o", diagonal=True)
