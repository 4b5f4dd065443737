"""A patient's baseline: the reference that beats and windows are held against. Pure: no clock, no model.

A premature beat is premature against the patient's own rhythm, an odd QRS is odd against the patient's own, and a
steady bundle branch block or a noisy electrode is nothing new after a while. All of it is learned while the stream
runs, from what is held to be normal, and is part of the detector's recovered state.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from detector.beat_history import BeatHistory, OpenBeat

QRS_BEFORE, QRS_AFTER = 10, 15  # samples at the models' rate around the R peak: 0.25 s
# Chosen on DS1, out of fold; the figures hardly change when any of these is halved or doubled.
QRS_BEATS = 20  # over which the usual QRS is a moving mean
MIN_QRS_BEATS = 3
MAX_LEADS = 3  # whose usual QRS is kept: the two that are judged, and one that is missing for a while
ERROR_PRIOR_WINDOWS, ERROR_WINDOWS = 12, 60  # one minute's worth of doubt, and five minutes of memory
_STEP = 1e-4  # samples are kept in such steps: exact in JSON, so that a recovery changes nothing


class UsualQrs(NamedTuple):
    """The usual QRS of one lead.

    Attributes
    ----------
    lead : its name
    qrs : mean of normal beats in normalised units, in steps of 1e-4
    beats : how many have shaped it, ``QRS_BEATS`` at most
    """

    lead: str
    qrs: tuple[int, ...]
    beats: int


class PersonalBaseline(NamedTuple):
    """All that is usual for a patient, as far as it is known; a tuple, since each window makes several of it.

    Attributes
    ----------
    history : of the beats reported
    usual : the usual QRS of each lead, the one learned last first
    log_error : mean logarithm of the autoencoder's error over windows held to be normal
    error_windows : over how many, ``ERROR_WINDOWS`` at most
    open_beat : the last beat reported, while the interval behind it is not known
    """

    history: BeatHistory = BeatHistory()
    usual: tuple[UsualQrs, ...] = ()
    log_error: float = 0.0
    error_windows: int = 0
    open_beat: OpenBeat | None = None

    def dump(self) -> list[Any]:
        """The baseline as JSON."""
        waiting = None if self.open_beat is None else self.open_beat.dump()
        return [self.history.dump(), self.usual, self.log_error, self.error_windows, waiting]

    @classmethod
    def load(cls, fields: list[Any]) -> "PersonalBaseline":
        """The baseline that ``dump`` wrote."""
        history, usual, log_error, windows, waiting = fields
        return cls(
            history=BeatHistory.load(history),
            usual=tuple(UsualQrs(lead, tuple(qrs), beats) for lead, qrs, beats in usual),
            log_error=log_error,
            error_windows=windows,
            open_beat=None if waiting is None else OpenBeat.load(waiting),
        )

    @property
    def last_beat_ns(self) -> int | None:
        """The time of the last beat reported, so that no beat is reported twice."""
        return self.history.last_ns

    def shifted(self, jump_ns: int) -> "PersonalBaseline":
        """The same after the device's clock has jumped: a beat is where it was, and keeps the class it was given."""
        last_ns = self.history.last_ns
        if last_ns is None:
            return self
        return self._replace(history=self.history._replace(last_ns=last_ns + jump_ns), open_beat=None)

    def usual_qrs(self, lead: str | None, *, least_beats: int = MIN_QRS_BEATS) -> npt.NDArray[np.float64] | None:
        """The usual QRS of a lead in normalised units, (QRS samples,); None while fewer beats have shaped it."""
        for usual in self.usual:
            if usual.lead == lead:
                return np.array(usual.qrs) * _STEP if usual.beats >= least_beats else None
        return None

    def error_above_usual(self, log_error: float, *, prior: float, share: float) -> float:
        """The logarithm of an autoencoder error, less a share of what is usual for the patient beyond ``prior``."""
        known = self.error_windows * (self.log_error - prior) / (self.error_windows + ERROR_PRIOR_WINDOWS)
        return log_error - share * known

    def with_error(self, log_error: float) -> "PersonalBaseline":
        """After a window held to be normal."""
        windows = min(self.error_windows + 1, ERROR_WINDOWS)
        return self._replace(log_error=self.log_error + (log_error - self.log_error) / windows, error_windows=windows)

    def with_qrs(self, lead: str, qrs: npt.NDArray[np.float64]) -> "PersonalBaseline":
        """After normal beats of a lead, (n, QRS samples)."""
        before = next((usual for usual in self.usual if usual.lead == lead), UsualQrs(lead, (0,) * qrs.shape[1], 0))
        weights, left, beats = [], 1.0, before.beats
        for count in range(before.beats + 1, before.beats + len(qrs) + 1):
            beats = min(count, QRS_BEATS)
            weights.append(1 / beats)
            left *= 1 - 1 / beats
        # Each beat moves the mean towards itself, and those behind it take their part of that.
        kept = 1.0
        for place in reversed(range(len(weights))):
            weights[place], kept = weights[place] * kept, kept * (1 - weights[place])
        mean = left * np.array(before.qrs, np.float64) + (np.array(weights)[:, None] * qrs).sum(axis=0) / _STEP
        learned = UsualQrs(lead, tuple(np.rint(mean).astype(int).tolist()), beats)
        others = [usual for usual in self.usual if usual.lead != lead]
        return self._replace(usual=(learned, *others)[:MAX_LEADS])
