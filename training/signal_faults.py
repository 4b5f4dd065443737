"""Faults in the signals of recordings, counted: samples never taken, leads that never move, bad windows."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ecg.leads import choose_leads
from ecg.records import MISSING, Record, exact_rate
from ecg.segments import Prepared, Preprocessing, prepare_segments
from ecg.windows import Grid
from training.data import segments_of
from training.records import TrainingRecords

_BATCH = 64  # windows prepared at once


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadFaults:
    """The faults of one lead.

    Attributes
    ----------
    lead : its name
    missing : samples that were never taken
    constant : whether it never moves
    windows : flag of ``ecg.quality`` to the number of the detector's windows that carry it; empty for a lead that the
        models do not look at
    """

    lead: str
    missing: int
    constant: bool
    windows: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalFaults:
    """The faults of one recording.

    Attributes
    ----------
    windows : whole windows of the detector's grid
    unusable : windows in which no lead can be judged
    stand_in : windows in which the second lead is judged, for the first cannot be
    alone : windows that the models see one lead of, for the other cannot be used or is not there
    leads : in the order of the recording's
    """

    windows: int
    unusable: int
    stand_in: int
    alone: int
    leads: tuple[LeadFaults, ...]

    @property
    def missing(self) -> int:
        """Samples never taken, over all leads."""
        return sum(lead.missing for lead in self.leads)

    @property
    def constant(self) -> tuple[str, ...]:
        """Names of the leads that never move."""
        return tuple(lead.lead for lead in self.leads if lead.constant)

    def as_json(self) -> dict[str, Any]:
        """Plain values, for ``run.json``."""
        return {
            "windows": self.windows,
            "unusable": self.unusable,
            "judged_on_the_second_lead": self.stand_in,
            "one_lead_only": self.alone,
            "missing_samples": {lead.lead: lead.missing for lead in self.leads if lead.missing},
            "constant_leads": list(self.constant),
            "flags": {lead.lead: dict(lead.windows) for lead in self.leads if lead.windows},
        }


def signal_faults(record: Record) -> SignalFaults:
    """Count a recording's faults, its windows prepared and judged as the detector does it."""
    grid = Grid(exact_rate(record.fs_hz))
    ends = np.array([grid.end(window) for window in range(grid.window_of(len(record.samples)))], np.int64)
    chosen = choose_leads(record.leads)
    flags: tuple[Counter[str], ...] = tuple(Counter() for _ in chosen)
    unusable = stand_in = alone = 0
    for batch in np.array_split(ends, max(1, -(-len(ends) // _BATCH))):
        prepared = _prepared(record, batch, chosen)
        unusable += int((~prepared.usable).sum())
        stand_in += int((prepared.usable & (prepared.judged > 0)).sum())
        # Zeros all through: the lead is unusable here, or is not there.
        alone += int((prepared.usable & ~prepared.inputs[:, 1].any(axis=1)).sum())
        for counted, quality in zip(flags, prepared.quality, strict=True):
            for row in range(len(batch)):
                counted.update(quality.flags(row))
    windows = dict(zip(chosen, flags, strict=True))
    return SignalFaults(
        windows=len(ends),
        unusable=unusable,
        stand_in=stand_in,
        alone=alone,
        leads=tuple(
            _lead_faults(record, column, dict(sorted(windows.get(column, {}).items())))
            for column in range(len(record.leads))
        ),
    )


def faults_of(records: TrainingRecords) -> dict[str, SignalFaults]:
    """The faults of every training record, by its name."""
    return {name: signal_faults(records.read(name)) for name in records.names}


def describe_faults(faults: Mapping[str, SignalFaults]) -> str:
    """The faults of several recordings in one line, the recordings with the most of each named."""
    windows = sum(of.windows for of in faults.values())
    constant = [f"{name} {lead}" for name, of in faults.items() for lead in of.constant]
    parts = (
        _most("samples missing", {name: of.missing for name, of in faults.items()}),
        f"constant leads: {', '.join(constant) or 'none'}",
        _most("windows unusable", {name: of.unusable for name, of in faults.items()}),
        _most("judged on the second lead", {name: of.stand_in for name, of in faults.items()}),
        _most("with one lead only", {name: of.alone for name, of in faults.items()}),
    )
    return f"{len(faults)} records, {windows} windows; " + "; ".join(parts)


def _most(what: str, counts: Mapping[str, int]) -> str:
    worst = sorted((name for name in counts if counts[name]), key=lambda name: -counts[name])[:3]
    named = f" (most in {', '.join(f'{name}: {counts[name]}' for name in worst)})" if worst else ""
    return f"{what}: {sum(counts.values())}{named}"


def _prepared(record: Record, ends: np.ndarray[tuple[int], np.dtype[np.int64]], chosen: tuple[int, ...]) -> Prepared:
    return prepare_segments(
        segments_of(record, ends),
        fs_hz=record.fs_hz,
        gain=[record.gain[column] for column in chosen],
        baseline=[record.baseline[column] for column in chosen],
        settings=Preprocessing(),
    )


def _lead_faults(record: Record, column: int, windows: Mapping[str, int]) -> LeadFaults:
    samples = record.samples[:, column]
    taken = samples[samples != MISSING]
    return LeadFaults(
        lead=record.leads[column],
        missing=len(samples) - len(taken),
        constant=len(taken) == 0 or int(taken.min()) == int(taken.max()),
        windows=windows,
    )
