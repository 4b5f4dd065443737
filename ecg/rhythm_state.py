"""Values that rhythm findings are made of: a window's span, and the past of the beats. Pure."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from ecg.fibrillation import NO_WAVE
from ecg.findings import RhythmFinding
from ecg.p_waves import PWaves

# AAMI classes, Q where it is not known; and "-", which is no beat but where a hole ended that may have hidden some.
BeatLetter = Literal["N", "S", "V", "F", "Q", "-"]
Beat = tuple[int, BeatLetter]  # time, ns, and letter
AF_IN_A_ROW = 2  # observations in a row that begin atrial fibrillation: premature atrial beats come in flurries


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Window of the beats handed over with it.

    Attributes
    ----------
    start_ns, end_ns : the window
    settled_ns : no beat before this time will be handed over any more
    usable : whether its beats can be trusted
    holes : (start, end) of those, ns, in which missing samples may hide a beat, and that ended since the window before
    doubtful_ns : how much of it lies on a flat line
    leakage : of the VF filter, ``ecg.fibrillation.wave_leakage``
    p_waves : evidence of P waves in the window and the context that it looks back on, None where there is none
    sways : whether the baseline moves as the complexes do: a run of strange beats is told, but no tachycardia begins
    noisy : whether it is noise, and unusable for that
    """

    start_ns: int
    end_ns: int
    settled_ns: int
    usable: bool
    holes: tuple[tuple[int, int], ...] = ()
    doubtful_ns: int = 0
    leakage: float = NO_WAVE
    p_waves: PWaves | None = None
    sways: bool = False
    noisy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RhythmState:
    """All that the next window's findings need of the past.

    Attributes
    ----------
    end_ns : end of the last window, None before the first
    known_ns : since when the signal is known without a break, None when it is not
    doubtful_ns : doubtful signal since the last beat
    count : beats since ``known_ns``
    beats : the newest of them
    latest : the newest finding of each family, as long as it may still grow
    fibrillating : observations in a row that showed atrial fibrillation, ``AF_IN_A_ROW`` while it lasts
    p_waves : (end of window in ns, evidence) of the newest windows
    noise_ns : end of the last window of noise, None before the first
    """

    end_ns: int | None = None
    known_ns: int | None = None
    doubtful_ns: int = 0
    count: int = 0
    beats: tuple[Beat, ...] = ()
    latest: tuple[RhythmFinding, ...] = ()
    fibrillating: int = 0
    p_waves: tuple[tuple[int, PWaves], ...] = ()
    noise_ns: int | None = None

    @property
    def fibrillates(self) -> bool:
        """Return whether atrial fibrillation lasted: no beat is premature in it."""
        return self.fibrillating >= AF_IN_A_ROW

    def dump(self) -> list[Any]:
        """The state as JSON."""
        times = [t_ns for t_ns, _ in self.beats]
        return [
            self.end_ns,
            self.known_ns,
            self.doubtful_ns,
            self.count,
            times[:1] + [after - before for before, after in pairwise(times)],
            "".join(letter for _, letter in self.beats),
            [[finding.kind, finding.start_ns, finding.end_ns, finding.beats] for finding in self.latest],
            self.fibrillating,
            [[end_ns, *evidence] for end_ns, evidence in self.p_waves],
            self.noise_ns,
        ]

    @classmethod
    def load(cls, fields: list[Any]) -> "RhythmState":
        """The state that ``dump`` wrote.

        Records of before P waves were looked for end with ``latest``, those of before noise was kept with P waves.
        """
        since: tuple[Any, ...] = (0, [], None)  # what those do not hold
        whole = (*fields, *since[len(fields) - 7 :])
        end_ns, known_ns, doubtful_ns, count, steps, letters, latest, fibrillating, p_waves, noise_ns = whole
        beats: list[Beat] = []
        t_ns = 0
        for step_ns, letter in zip(steps, letters, strict=True):
            t_ns += step_ns
            beats.append((t_ns, letter))
        return cls(
            end_ns=end_ns,
            known_ns=known_ns,
            doubtful_ns=doubtful_ns,
            count=count,
            beats=tuple(beats),
            latest=tuple(
                RhythmFinding(kind=kind, start_ns=start_ns, end_ns=found_end_ns, beats=held)
                for kind, start_ns, found_end_ns, held in latest
            ),
            fibrillating=fibrillating,
            p_waves=tuple((window_end_ns, PWaves(*evidence)) for window_end_ns, *evidence in p_waves),
            noise_ns=noise_ns,
        )
