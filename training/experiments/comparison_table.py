"""A comparison of networks as a table for people."""

from rich.table import Table

from training.experiments.comparison_scoring import BATCH, Comparison, Row, Spread
from training.intervals import ONE_PERSON

TITLES: dict[Row, str] = {
    "fused": "CNN and autoencoder",
    "cnn": "CNN",
    "autoencoder": "autoencoder",
    "lstm": "LSTM",
    "transformer": "transformer",
    "dense": "dense, single beats",
}


def table(comparison: Comparison) -> Table:
    """One line a network; figures over seeds as mean ± standard deviation."""
    result = Table(
        title=f"{comparison.windows} windows of {len(comparison.records)} records, {comparison.patients} patients; "
        f"{_text(comparison.abnormal_fraction, 3)} abnormal, {comparison.left_out} left out, "
        f"{comparison.unusable} unusable",
        caption=_caption(comparison),
        caption_justify="left",
    )
    for column in ("network", "parameters", "seeds", "AUROC", "95 %", "AUPRC", "F1", "ECE", "ms/window"):
        result.add_column(column, justify="left" if column == "network" else "right", no_wrap=True)
    for row, title in TITLES.items():
        of = comparison.networks[row]
        low, high = of.interval
        result.add_row(
            title,
            f"{of.parameters:,}",
            str(len(of.auroc.per_seed)),
            _spread(of.auroc),
            f"{low:.3f} to {high:.3f}",
            _spread(of.auprc, 3),
            _spread(of.f1, 3),
            _spread(of.ece, 3),
            f"{of.ms_per_window:.3f}",
        )
    return result


def _caption(comparison: Comparison) -> str:
    learnt = {of.trained_on for of in comparison.networks.values()}
    remarks = [
        f"Trained on {' or '.join(map(str, sorted(learnt, reverse=True)))} records.",
        "Thresholds come from training patients that the network has not seen.",
        "95 %: of the AUROC, by drawing patients anew.",
        f"Time: onnxruntime, one thread, {BATCH} windows at once.",
    ]
    if comparison.trained_on:
        remarks.append(f"The networks have learnt from {', '.join(comparison.trained_on)}: no test.")
    if twin := ONE_PERSON & set(comparison.records) - set(comparison.trained_on):
        remarks.append(f"Of the person of record {', '.join(sorted(twin))} there is another recording.")
    return " ".join(remarks)


def _spread(of: Spread, digits: int = 4) -> str:
    return _text(of.mean, digits) if of.sd is None else f"{_text(of.mean, digits)} ± {_text(of.sd, digits)}"


def _text(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
