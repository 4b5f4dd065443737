"""A patient's baseline: the reference that beats and windows are held against. Pure: no clock, no model.

A premature beat is premature against the patient's own usual interval, an odd QRS is odd against the patient's own, and
a steady bundle branch block or a noisy electrode is nothing new after a while. All of it is learned while the stream
runs, from what is held to be normal, and is part of the detector's recovered state.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ecg.records import Float32Array

# Chosen on DS1, out of fold; the figures hardly change when any of these is halved or doubled.
INTERVALS = 30  # newest RR intervals that tell how regular the rhythm is
MIN_INTERVALS = 8  # before that many, nothing is usual yet
REGULAR_BAND = 0.05  # intervals within 5 % of each other are alike
UNKNOWN_REGULARITY = 0.6  # until it is known: as in most patients
FIRST_QUANTILE = 75  # %; of the first intervals, for premature beats only shorten them
FOLLOW_LONGER, FOLLOW_SHORTER = 0.08, 0.04  # share of the way that one normal beat moves the usual interval
FOLLOW_PREMATURE = 0.002  # the same for a premature one: a faster rhythm that stays becomes usual in some minutes
FOLLOW_LIMIT = 0.15  # a pause or a missed beat moves it no further than that much
MIN_RR_S, MAX_RR_S = 0.2, 3.0  # what is no RR interval: two peaks of one QRS; lost signal or asystole
QRS_BEFORE, QRS_AFTER = 10, 15  # samples at the models' rate around the R peak: 0.25 s
QRS_BEATS = 20  # over which the usual QRS is a moving mean
MIN_QRS_BEATS = 3
USUAL_PREMATURITY = 0.25  # a beat further than that from the usual interval does not shape the usual QRS
ERROR_PRIOR_WINDOWS, ERROR_WINDOWS = 12, 60  # one minute's worth of doubt, and five minutes of memory
_STEP = 1e-4  # intervals and samples are kept in such steps: exact in JSON, so that a recovery changes nothing


@dataclass(slots=True, kw_only=True)
class Intervals:
    """RR intervals of a patient, while beats are added: the fields as in ``PersonalBaseline``."""

    last_beat_ns: int | None
    after_ventricular: bool
    rr: tuple[int, ...]
    usual_rr: float | None

    def prematurity(self, rr_s: float | None) -> float:
        """Return how much shorter an RR interval is than usual, as a logarithm; 0 where that is not known."""
        if rr_s is None or self.after_ventricular or self.usual_rr is None or not MIN_RR_S < rr_s < MAX_RR_S:
            return 0.0
        return min(max(self.usual_rr - log(rr_s), 0.0), 0.9)

    def add(self, t_ns: int, rr_s: float | None, *, ventricular: bool, premature: bool) -> None:
        """Take in a beat; ``rr_s`` is the interval before it, None where there is none."""
        if rr_s is not None and MIN_RR_S < rr_s < MAX_RR_S and not ventricular and not self.after_ventricular:
            step = round(log(rr_s) / _STEP)
            self.rr = (*self.rr[-INTERVALS + 1 :], step)
            if self.usual_rr is not None:
                way = min(max(step * _STEP - self.usual_rr, -FOLLOW_LIMIT), FOLLOW_LIMIT)
                follow = FOLLOW_PREMATURE if premature else FOLLOW_LONGER if way > 0 else FOLLOW_SHORTER
                self.usual_rr += follow * way
            elif len(self.rr) >= MIN_INTERVALS:
                self.usual_rr = float(np.percentile(self.rr, FIRST_QUANTILE)) * _STEP
        self.last_beat_ns, self.after_ventricular = t_ns, ventricular


class PersonalBaseline(NamedTuple):
    """All that is usual for a patient, as far as it is known; a tuple, since each window makes several of it.

    Attributes
    ----------
    last_beat_ns : time of the last beat reported, so that no beat is reported twice
    after_ventricular : whether that beat was ventricular: the interval behind it tells nothing of the rhythm
    rr : natural logarithms of the newest RR intervals (s) between beats that are not ventricular, in steps of 1e-4
    usual_rr : natural logarithm of the usual RR interval before a normal beat, s; None before it is known
    regularity : the largest share of the newest intervals that are alike; 1 in a metronome, 0.3 in atrial fibrillation
    lead : whose QRS it is
    qrs : the usual QRS of normal beats in normalised units, in steps of 1e-4; empty before the first
    qrs_beats : how many beats have shaped it, ``QRS_BEATS`` at most
    other : the same three of the lead that was judged before: one that is missing for a while is not forgotten
    log_error : mean logarithm of the autoencoder's error over windows held to be normal
    error_windows : over how many, ``ERROR_WINDOWS`` at most
    """

    last_beat_ns: int | None = None
    after_ventricular: bool = False
    rr: tuple[int, ...] = ()
    usual_rr: float | None = None
    regularity: float = UNKNOWN_REGULARITY
    lead: str | None = None
    qrs: tuple[int, ...] = ()
    qrs_beats: int = 0
    other: tuple[str | None, tuple[int, ...], int] = (None, (), 0)
    log_error: float = 0.0
    error_windows: int = 0

    def dump(self) -> list[Any]:
        """The baseline as JSON."""
        return [
            self.last_beat_ns,
            self.after_ventricular,
            self.rr,
            self.usual_rr,
            self.regularity,
            self.lead,
            self.qrs,
            self.qrs_beats,
            self.log_error,
            self.error_windows,
            self.other,
        ]

    @classmethod
    def load(cls, fields: list[Any]) -> "PersonalBaseline":
        """The baseline that ``dump`` wrote."""
        last_beat_ns, after_ventricular, rr, usual_rr, regularity, lead, qrs, qrs_beats, log_error, windows = fields[
            :10
        ]
        # Records of earlier versions do not hold the lead before.
        other_lead, other_qrs, other_beats = fields[10] if len(fields) > 10 else (None, (), 0)
        return cls(
            last_beat_ns=last_beat_ns,
            after_ventricular=after_ventricular,
            rr=tuple(rr),
            usual_rr=usual_rr,
            regularity=regularity,
            lead=lead,
            qrs=tuple(qrs),
            qrs_beats=qrs_beats,
            log_error=log_error,
            error_windows=windows,
            other=(other_lead, tuple(other_qrs), other_beats),
        )

    def shifted(self, jump_ns: int) -> "PersonalBaseline":
        """The same after the device's clock has jumped: a beat is where it was."""
        return self if self.last_beat_ns is None else self._replace(last_beat_ns=self.last_beat_ns + jump_ns)

    def usual_qrs(self, lead: str | None) -> Float32Array | None:
        """The usual QRS of a lead in normalised units, (QRS samples,); None while it is not known."""
        qrs, beats = self._of(lead)
        return np.asarray(np.array(qrs) * _STEP, np.float32) if beats >= MIN_QRS_BEATS else None

    def _of(self, lead: str | None) -> tuple[tuple[int, ...], int]:
        """Return what is known of the usual QRS of a lead, and by how many beats."""
        if lead == self.lead:
            return self.qrs, self.qrs_beats
        other_lead, qrs, beats = self.other
        return (qrs, beats) if lead == other_lead else ((), 0)

    def unlikeness(
        self, qrs: Float32Array, lead: str | None
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return how far beats are from the usual QRS.

        Parameters
        ----------
        qrs : (n, QRS samples) float32, normalised
        lead : of which lead

        Returns
        -------
        one minus the correlation, and the root mean square difference; (n,) each, those of an ordinary beat while
        nothing is usual
        """
        known, beats = self._of(lead)
        if beats < MIN_QRS_BEATS:
            return np.full(len(qrs), 0.1), np.full(len(qrs), 0.3)
        usual = np.array(known) * _STEP
        apart = qrs - usual
        difference = np.sqrt(np.einsum("ij,ij->i", apart, apart) / len(usual))
        centred, about = qrs - qrs.sum(axis=1, keepdims=True) / len(usual), usual - usual.sum() / len(usual)
        norm = np.sqrt(np.einsum("ij,ij->i", centred, centred) * (about @ about))
        return 1 - (centred @ about) / np.maximum(norm, 1e-6), difference

    def error_above_usual(self, log_error: float, *, prior: float, share: float) -> float:
        """The logarithm of an autoencoder error, less a share of what is usual for the patient beyond ``prior``."""
        known = self.error_windows * (self.log_error - prior) / (self.error_windows + ERROR_PRIOR_WINDOWS)
        return log_error - share * known

    def with_error(self, log_error: float) -> "PersonalBaseline":
        """After a window held to be normal."""
        windows = min(self.error_windows + 1, ERROR_WINDOWS)
        return self._replace(log_error=self.log_error + (log_error - self.log_error) / windows, error_windows=windows)

    def with_qrs(self, qrs: Float32Array, lead: str | None) -> "PersonalBaseline":
        """After normal beats (n, QRS samples) of a lead."""
        if lead != self.lead:
            known, beats = self._of(lead)
            before = self.lead, self.qrs, self.qrs_beats
            return self._replace(lead=lead, qrs=known, qrs_beats=beats, other=before).with_qrs(qrs, lead)
        mean, beats = np.array(self.qrs or (0,) * qrs.shape[1], np.float64), self.qrs_beats
        for one in qrs:
            beats = min(beats + 1, QRS_BEATS)
            mean += (one / _STEP - mean) / beats
        return self._replace(qrs=tuple(np.rint(mean).astype(int).tolist()), qrs_beats=beats)

    def intervals(self) -> "Intervals":
        """The part that beats change, to be changed beat by beat."""
        return Intervals(
            last_beat_ns=self.last_beat_ns,
            after_ventricular=self.after_ventricular,
            rr=self.rr,
            usual_rr=self.usual_rr,
        )

    def with_intervals(self, intervals: "Intervals") -> "PersonalBaseline":
        """After the beats that were added to what ``intervals`` gave."""
        return self._replace(
            last_beat_ns=intervals.last_beat_ns,
            after_ventricular=intervals.after_ventricular,
            rr=intervals.rr,
            usual_rr=intervals.usual_rr,
        )

    def with_regularity(self) -> "PersonalBaseline":
        """After all beats of a window."""
        return self._replace(regularity=_regularity(self.rr))


def _regularity(rr: Sequence[int]) -> float:
    """The largest share of intervals that lie within ``REGULAR_BAND`` of one of them."""
    if len(rr) < MIN_INTERVALS:
        return UNKNOWN_REGULARITY
    each = np.array(rr)
    alike = np.abs(each[:, None] - each) * _STEP < REGULAR_BAND
    return float(alike.sum(axis=1).max() / len(each))
