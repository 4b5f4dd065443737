"""Figures of beats on patients that nothing has learned from: those found, and their classes after EC57."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from detector.judgement import Judgement
from training.beat_comparison import Pair, class_accuracy, class_rates, qrs_rates
from training.beat_reference import Reference
from training.databases import database_of
from training.outoffold import OutOfFold

FEW = 10  # beats of a class: the F1 of a patient who has fewer tells nothing


def beat_figures(
    judged: Sequence[OutOfFold], judgements: Sequence[Sequence[Judgement]], reference: Reference
) -> dict[str, Any]:
    """Figures of all records, and of those of each database.

    Parameters
    ----------
    judged, judgements : the records, and the judgements of the windows of each
    reference : the annotations
    """
    counts = [
        (database_of(record.windows.name)[0].name, reference.count(record, of))
        for record, of in zip(judged, judgements, strict=True)
    ]
    return {"all": _figures([count for _, count in counts])} | {
        database: _figures([count for name, count in counts if name == database])
        for database in sorted({name for name, _ in counts})
    }


def _figures(counts: Sequence[Counter[Pair]]) -> dict[str, Any]:
    """Of V and S also the median of patients' F1."""
    pooled: Counter[Pair] = sum(counts, Counter())
    figures: dict[str, Any] = {"qrs": asdict(qrs_rates(pooled)), "accuracy": class_accuracy(pooled)}
    for name, letter, neutral in (("veb", "V", "FQ"), ("sveb", "S", "Q")):
        each = [
            class_rates(of, letter, neutral=neutral).f1 or 0.0
            for of in counts
            if sum(n for (true, _), n in of.items() if true == letter) >= FEW
        ]
        figures[name] = asdict(class_rates(pooled, letter, neutral=neutral)) | {
            "median_f1": round(float(np.median(each)), 4) if each else None,
            "patients": len(each),
        }
    return figures
