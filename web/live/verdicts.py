"""Verdicts as the live view keeps them: an hour of figures in little room, and the newest as they came."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from bus.messages import Decision, Finding, PatientId
from ecg.windows import HOP_S
from web.live.share import DEFAULT_BYTES, Share

HOUR = 3600 // HOP_S  # windows
WHOLE = 24  # of the newest verdicts are kept as they came where there is room: two minutes, 60 kB of a patient
_MOST_DEVICES = 16  # of a patient are told apart
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
        ("device", "i1"),
    ]
)

Figures = npt.NDArray[np.void]
_NONE = np.zeros(0, _FIGURES)  # of all of whom nothing was judged yet
ALL = Share.of(DEFAULT_BYTES, 0)


class VerdictHead(BaseModel):
    """Fields of a verdict that the live view reads; the rest of its JSON passes through unread."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    patient: PatientId
    device: str
    hop_s: int = HOP_S
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
    """

    start_ns: int
    end_ns: int
    value: bytes


class VerdictLog:
    """The verdicts on one patient in the order in which they came."""

    __slots__ = ("_count", "_figures", "_newest", "_whole_bytes", "_windows", "findings", "newest", "whole")

    def __init__(self) -> None:
        self._figures = _NONE
        self._count = 0
        self._windows = HOUR
        self._whole_bytes = 0
        self._newest: dict[str, VerdictHead] = {}  # by device
        self.newest: VerdictHead | None = None
        self.whole: list[WholeVerdict] = []
        self.findings: list[Finding] = []

    def add(self, head: VerdictHead, value: bytes, offset: int, share: Share = ALL) -> None:
        """Take the next verdict in.

        Parameters
        ----------
        offset : where it lies in its partition
        """
        self._windows = share.windows
        if self._count >= len(self._figures):
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
            self._number_of(head.device),
        )
        self._count += 1
        self.newest = self._newest[head.device] = head
        self.findings = [*self.findings, *head.findings][-share.findings :]
        self.whole.append(WholeVerdict(head.start_ns, head.end_ns, value))
        self._whole_bytes += len(value)
        while len(self.whole) > WHOLE or self._whole_bytes > share.whole_bytes:
            self._whole_bytes -= len(self.whole.pop(0).value)
            if not self.whole:
                break

    def newest_of(self, device: str) -> VerdictHead | None:
        """Return the newest verdict on what a device has sent."""
        return self._newest.get(device)

    def figures(self, from_ns: int | None = None, to_ns: int | None = None, *, device: str | None = None) -> Figures:
        """Return the last hour's figures, oldest first, or those of as many windows as there is room for.

        Parameters
        ----------
        from_ns, to_ns : whose windows end behind the one and begin before the other, ns UTC
        device : whose; None for all
        """
        found = self._figures[max(0, self._count - self._windows) : self._count]
        if device in self._newest:
            found = found[found["device"] == list(self._newest).index(device)]
        if from_ns is not None:
            found = found[found["end_ns"] > from_ns]
        if to_ns is not None:
            found = found[found["start_ns"] < to_ns]
        return found

    def _make_room(self) -> None:
        kept = self._figures[max(0, self._count - self._windows) : self._count]
        self._figures = np.concatenate([kept, np.zeros(max(16, len(kept) // 4), _FIGURES)])
        self._count = len(kept)

    def _number_of(self, device: str) -> int:
        """The place of a device among those of which something was judged; of very many the newest take turns."""
        if device not in self._newest and len(self._newest) >= _MOST_DEVICES:
            self._newest.pop(next(reversed(self._newest)))
        if device not in self._newest:
            return len(self._newest)
        return list(self._newest).index(device)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def listed(column: npt.NDArray[Any]) -> list[float | None]:
    """A column as JSON has it: nothing where nothing is known."""
    return [None if value != value else round(float(value), 4) for value in column]  # noqa: PLR0124 # NaN alone is not itself
