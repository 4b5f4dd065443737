"""Verdicts as the live view keeps them: an hour of figures in little room, and the newest as they came."""

from collections import deque
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from bus.messages import Decision, Finding, PatientId
from ecg.windows import HOP_S

HOUR = 3600 // HOP_S  # windows
WHOLE = 24  # of the newest verdicts are kept as they came: two minutes, 60 kB of a patient
DECISIONS: tuple[Decision, ...] = ("normal", "abnormal", "unusable")
_FIGURES = np.dtype(
    [
        ("start_ns", "i8"),
        ("end_ns", "i8"),
        ("offset", "i8"),
        ("heart_rate_bpm", "f4"),
        ("cnn", "f4"),
        ("autoencoder", "f4"),
        ("fused", "f4"),
        ("decision", "i1"),
    ]
)

Figures = npt.NDArray[np.void]


class VerdictHead(BaseModel):
    """What the live view itself looks at of a verdict; the rest of its JSON passes through unread."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    patient: PatientId
    device: str
    start_ns: int
    end_ns: int
    lead: str | None
    decision: Decision
    cnn: float | None
    autoencoder: float | None
    fused: float | None
    threshold: float
    heart_rate_bpm: float | None
    findings: tuple[Finding, ...] = ()
    reasons: tuple[str, ...]


class WholeVerdict(NamedTuple):
    """A verdict as it came.

    Attributes
    ----------
    start_ns, end_ns : its window
    value : its JSON
    """

    start_ns: int
    end_ns: int
    value: bytes


class VerdictLog:
    """The verdicts on one patient in the order in which they came."""

    def __init__(self) -> None:
        self._figures = np.zeros(0, _FIGURES)
        self._count = 0
        self.newest: VerdictHead | None = None
        self.whole: deque[WholeVerdict] = deque(maxlen=WHOLE)
        self.findings: deque[Finding] = deque(maxlen=HOUR)

    def add(self, head: VerdictHead, value: bytes, offset: int) -> None:
        """Take the next verdict in."""
        if self._count == len(self._figures):
            self._make_room()
        self._figures[self._count] = (
            head.start_ns,
            head.end_ns,
            offset,
            _or_nan(head.heart_rate_bpm),
            _or_nan(head.cnn),
            _or_nan(head.autoencoder),
            _or_nan(head.fused),
            DECISIONS.index(head.decision),
        )
        self._count += 1
        self.newest = head
        self.findings.extend(head.findings)
        self.whole.append(WholeVerdict(head.start_ns, head.end_ns, value))

    def figures(self, from_ns: int | None = None, to_ns: int | None = None) -> Figures:
        """The last hour's figures whose windows end behind ``from_ns`` and begin before ``to_ns``, oldest first."""
        found = self._figures[max(0, self._count - HOUR) : self._count]
        if from_ns is not None:
            found = found[found["end_ns"] > from_ns]
        if to_ns is not None:
            found = found[found["start_ns"] < to_ns]
        return found

    def _make_room(self) -> None:
        kept = self._figures[max(0, self._count - HOUR) :]
        self._figures = np.concatenate([kept, np.zeros(max(16, min(len(kept), HOUR)), _FIGURES)])
        self._count = len(kept)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def listed(column: npt.NDArray[Any]) -> list[float | None]:
    """A column as JSON has it: nothing where nothing is known."""
    return [None if value != value else round(float(value), 4) for value in column]  # noqa: PLR0124 # NaN alone is not itself
