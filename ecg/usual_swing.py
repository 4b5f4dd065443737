"""The usual swing of a patient's QRS, learned from the rapid checks, and what the newest of them have shown. Pure."""

from collections.abc import Sequence
from typing import Any, NamedTuple

# A QRS is taken to be gone when no swing reaches a fifth of the usual one: on DS1 every check at both leads has one of
# a quarter or more. P waves and noise stay below. The bounds are for very low and very tall QRS complexes.
QUIET_SHARE = 0.2
QUIET_MV = (0.06, 0.3)
QUIET_UNKNOWN_MV = 0.1  # until the usual swing is known
SWAY_CHECKS = 3  # of the five in a window
# Checks. A silence of four seconds may end as long before the window's end as a window has seconds, less the stretch.
STILL_WITHIN = 8
WAVE_CHECKS = 2  # in a row: a burst of motion fills one check, and a second more is within what an alarm may take
WAVE_WITHIN = 5  # a window is five checks
# A wave slower than a flutter may be ventricular tachycardia, or how the patient's broad beats always look: it is told
# where it is new. On vfdb the figures hardly change from 0.1 to 0.5, nor from 30 checks to 120.
USUAL_WAVE = 0.2  # share of the newest ``USUAL_CHECKS`` that show a wave
USUAL_CHECKS = 30  # over which the usual swing is a moving mean
MIN_USUAL_CHECKS = 5
USUAL_JUMP = 2.0  # an artefact counts as no more than that many usual swings


class UsualSwing(NamedTuple):
    """Usual swing of a patient's QRS, learned from the checks, and what the newest of them have shown.

    Attributes
    ----------
    swing_mv : by column, moving mean of each check's largest swing; 0 before the first with a QRS in it
    checks : by column, over how many, ``USUAL_CHECKS`` at most; both are empty before the first check with a QRS
    restless : checks since the newest seconds were still, ``STILL_WITHIN + 1`` at most
    waves : checks in a row that show a wave, ``WAVE_CHECKS`` at most
    waveless : checks since there were so many, ``WAVE_WITHIN + 1`` at most
    sways : of the newest five checks, a bit for each in which the baseline sways, the newest lowest
    wavy : moving share of the checks that show a wave, be it slow
    judged : over how many, ``USUAL_CHECKS`` at most
    """

    swing_mv: tuple[float, ...] = ()
    checks: tuple[int, ...] = ()
    restless: int = 0
    waves: int = 0
    waveless: int = 0
    sways: int = 0
    wavy: float = 0.0
    judged: int = 0

    @property
    def lately_swaying(self) -> bool:
        """Return whether strange beats that a window finds may be motion."""
        return self.sways.bit_count() >= SWAY_CHECKS

    @property
    def lately_still(self) -> bool:
        """Return whether beats that a window does not find may be none."""
        return self.restless <= STILL_WITHIN

    @property
    def lately_wave(self) -> bool:
        """Return whether the wave that a window shows was seen by the checks as well."""
        return self.waveless < WAVE_WITHIN

    def quiet_mv(self, column: int) -> float:
        """The swing below which a column holds no QRS."""
        if not self.checks or self.checks[column] < MIN_USUAL_CHECKS:
            return QUIET_UNKNOWN_MV
        low, high = QUIET_MV
        return min(max(QUIET_SHARE * self.swing_mv[column], low), high)

    def tall(self, column: int) -> bool:
        """Return whether a column's QRS usually stands out, so that it would be missed were it gone."""
        if not self.checks or self.checks[column] < MIN_USUAL_CHECKS:
            return False
        return self.swing_mv[column] >= QUIET_MV[0] / QUIET_SHARE

    def with_check(self, swing_mv: Sequence[float], received: Sequence[bool] | None = None) -> "UsualSwing":
        """After a check with a QRS in it.

        Parameters
        ----------
        swing_mv : by column, mV
        received : by column, which leads lack no sample, None where none does; the others teach nothing
        """
        every = len(swing_mv)
        before = self.swing_mv or (0.0,) * every
        count = self.checks or (0,) * every
        learned = [
            _moved(before[column], count[column], swing_mv[column])
            if received is None or received[column]
            else (before[column], count[column])
            for column in range(every)
        ]
        return self._replace(
            swing_mv=tuple(usual for usual, _ in learned), checks=tuple(checks for _, checks in learned)
        )

    def after(self, *, still: bool, wave: bool, slow: bool, sway: bool) -> "UsualSwing":
        """After a check by what it shows; a slow wave counts as one where it is new."""
        waves = min(self.waves + 1, WAVE_CHECKS) if wave and not (slow and self.wavy >= USUAL_WAVE) else 0
        judged = min(self.judged + 1, USUAL_CHECKS)
        return self._replace(
            restless=0 if still else min(self.restless + 1, STILL_WITHIN + 1),
            waves=waves,
            waveless=0 if waves == WAVE_CHECKS else min(self.waveless + 1, WAVE_WITHIN + 1),
            sways=(self.sways << 1 | sway) & 0b11111,
            wavy=round(self.wavy + (wave - self.wavy) / judged, 6),
            judged=judged,
        )

    def dump(self) -> list[Any]:
        """The state as JSON."""
        newest = (self.restless, self.waves, self.waveless, self.sways, self.wavy, self.judged)
        return [self.swing_mv, self.checks, *newest]

    @classmethod
    def load(cls, fields: list[Any]) -> "UsualSwing":
        """The state that ``dump`` wrote."""
        # Records of earlier versions do not hold what the newest checks have shown.
        swing_mv, checks, restless, waves, waveless, sways, wavy, judged = (*fields, *(0,) * 6)[:8]
        # Records before holes were told apart by lead hold one number for all leads.
        return cls(
            swing_mv=tuple(swing_mv),
            checks=(checks,) * len(swing_mv) if isinstance(checks, int) else tuple(checks),
            restless=restless,
            waves=waves,
            waveless=waveless,
            sways=sways,
            wavy=float(wavy),
            judged=judged,
        )


def _moved(usual: float, checks: int, swing: float) -> tuple[float, int]:
    """Return what is usual of a lead after one more check, and over how many."""
    if not checks:
        return round(swing, 6), 1
    checks = min(checks + 1, USUAL_CHECKS)
    return round(usual + (min(swing, USUAL_JUMP * usual) - usual) / checks, 6), checks
