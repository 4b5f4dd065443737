"""Conditions that a window shows, that it rules out, and of which it says nothing. Pure."""

from dataclasses import dataclass, replace

from alerting.rules import TECHNICAL, Rule
from bus.messages import AlarmKind, Condition, Finding, MdcCode, Urgent, Verdict
from ecg.findings import RhythmFinding, describe_finding
from ecg.rhythm import (
    ASYSTOLE_NS,
    BRADYCARDIA_BPM,
    EXTREME_BRADYCARDIA_BPM,
    EXTREME_TACHYCARDIA_BPM,
    PAUSE_NS,
    SVT_BPM,
    TACHYCARDIA_BPM,
    VT_BPM,
)

PER_MINUTE = "/min"
SECONDS = "s"
PROBABILITY = "probability"
_EVENTS = 3 << 16  # partition 3 of the nomenclature: events

_LABELS: dict[Condition, str] = {
    "abnormal_window": "abnormal ECG",
    "unusual_window": "unusual ECG",
    "lead_off": "lead off",
    "gap": "samples missing",
    "poor_signal": "poor signal",
    "silent_patient": "nothing received from the patient",
    "several_devices": "several devices under one patient id",
    "input_refused": "messages refused",
    "source_stopped": "nothing received from any patient: detector or producer stopped",
}
# Only terms that say the same: what is found here is not known to be of sinus origin. Source: ISO/IEEE 11073-10101 as
# DICOM PS3.16 reprints it, context group 3038.
_MDC: dict[Condition, MdcCode] = {
    "asystole": MdcCode(reference_id="MDC_EVT_ECG_ASYSTOLE", code=_EVENTS + 3076),
    "atrial_fibrillation": MdcCode(reference_id="MDC_EVT_ECG_ATR_FIB", code=_EVENTS + 3128),
}
_FINDING_LIMITS: dict[Condition, tuple[float, str]] = {
    "asystole": (ASYSTOLE_NS / 1e9, SECONDS),
    "pause": (PAUSE_NS / 1e9, SECONDS),
    "bradycardia": (BRADYCARDIA_BPM, PER_MINUTE),
    "tachycardia": (TACHYCARDIA_BPM, PER_MINUTE),
    "extreme_bradycardia": (EXTREME_BRADYCARDIA_BPM, PER_MINUTE),
    "extreme_tachycardia": (EXTREME_TACHYCARDIA_BPM, PER_MINUTE),
    "ventricular_tachycardia": (VT_BPM, PER_MINUTE),
    "supraventricular_tachycardia": (SVT_BPM, PER_MINUTE),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A condition as one window, or a look between the windows, shows it.

    Attributes
    ----------
    onset_ns, last_ns : from where to where it is seen
    score, threshold : the window's fused score and its limit
    value, limit, unit : what was measured and the limit that it crossed, where there is one
    reasons : in words
    """

    onset_ns: int
    last_ns: int
    score: float | None = None
    threshold: float | None = None
    value: float | None = None
    limit: float | None = None
    unit: str | None = None
    reasons: tuple[str, ...] = ()

    def moved(self, by_ns: int, *, latest_ns: int | None = None) -> "Observation":
        """Its times on a clock that was moved; none of them later than ``latest_ns``, where that is given."""
        onset_ns, last_ns = self.onset_ns + by_ns, self.last_ns + by_ns
        if latest_ns is not None:
            onset_ns, last_ns = max(0, min(onset_ns, latest_ns)), max(0, min(last_ns, latest_ns))
        return replace(self, onset_ns=onset_ns, last_ns=last_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """A window's evidence on every condition: ``seen``, ``absent``, or, in neither, none."""

    seen: dict[Condition, Observation]
    absent: frozenset[Condition]

    def and_seen(self, condition: Condition, observation: Observation | None) -> "Observations":
        """The same with what the window alone does not show."""
        if observation is None:
            return self
        return Observations(seen=self.seen | {condition: observation}, absent=self.absent - {condition})

    def moved(self, by_ns: int, *, latest_ns: int) -> "Observations":
        """The same in the patient's time."""
        seen = {
            condition: observation.moved(by_ns, latest_ns=latest_ns) for condition, observation in self.seen.items()
        }
        return replace(self, seen=seen)


def kind_of(condition: Condition) -> AlarmKind:
    """Return whether a condition is about the patient or about signal and system."""
    return "technical" if condition in TECHNICAL else "physiological"


def label_of(condition: Condition) -> str:
    """A condition as people write it."""
    return _LABELS.get(condition, condition.replace("_", " "))


def mdc_of(condition: Condition) -> MdcCode | None:
    """Its code in ISO/IEEE 11073-10101; None where that has no term that says the same."""
    return _MDC.get(condition)


def observe(verdict: Verdict, rules: dict[Condition, Rule]) -> Observations:
    """Return a verdict's evidence on every condition.

    A condition of the patient cannot be told from an unusable window. Under a quality flag of its rule's gate it is
    not believed: what would have been seen counts towards ``poor_signal``.
    """
    absent = {condition for condition, rule in rules.items() if not rule.enabled}
    seen, suspected = _believed(_of_patient(verdict, rules), verdict, rules)
    if verdict.decision != "unusable":
        flags = set(verdict.quality.flags)
        absent |= {
            condition
            for condition, rule in rules.items()
            if condition not in TECHNICAL and not rule.gate & flags and not _untold(condition, verdict)
        }
    seen |= _of_signal(verdict, suspected)
    absent |= set(TECHNICAL)
    seen = {condition: observation for condition, observation in seen.items() if rules[condition].enabled}
    return Observations(seen=seen, absent=frozenset(absent - seen.keys()))


def observe_urgent(urgent: Urgent, rule: Rule) -> Observation | None:
    """Return what was seen between the windows, None where the rule does not let it alarm.

    A rule that asks for some time waits for the windows.
    """
    if not rule.enabled or rule.start_s > 0 or rule.gate & set(urgent.quality.flags):
        return None
    return Observation(
        onset_ns=urgent.start_ns,
        last_ns=urgent.end_ns,
        value=urgent.value,
        limit=urgent.limit,
        unit=urgent.unit,
        reasons=urgent.reasons,
    )


def _untold(condition: Condition, verdict: Verdict) -> bool:
    return condition in {"heart_rate_low", "heart_rate_high"} and verdict.heart_rate_bpm is None


def _believed(
    found: dict[Condition, Observation], verdict: Verdict, rules: dict[Condition, Rule]
) -> tuple[dict[Condition, Observation], tuple[str, ...]]:
    """Return the patient's conditions that are believed, and the text on those that the signal does not support."""
    if verdict.decision == "unusable":
        return {}, ()
    flags = set(verdict.quality.flags)
    seen: dict[Condition, Observation] = {}
    suspected: list[str] = []
    for condition, observation in found.items():
        against = sorted(rules[condition].gate & flags)
        if not against:
            seen[condition] = observation
        elif rules[condition].enabled:
            suspected.append(f"{label_of(condition)} suspected, but the signal is {' and '.join(against)}")
    return seen, tuple(suspected)


def _of_patient(verdict: Verdict, rules: dict[Condition, Rule]) -> dict[Condition, Observation]:
    observations: dict[Condition, Observation] = {}
    for finding in verdict.findings:
        earlier = observations.get(finding.kind)
        onset_ns = min(finding.start_ns, earlier.onset_ns) if earlier else finding.start_ns
        observations[finding.kind] = _of_finding(verdict, finding, onset_ns)
    if verdict.decision == "abnormal":
        observations["abnormal_window"] = _of_window(
            verdict, verdict.fused, verdict.threshold, PROBABILITY, verdict.reasons or ("fused score above its limit",)
        )
    unusual, score = rules["unusual_window"].limit, verdict.autoencoder
    if verdict.decision == "normal" and score is not None and unusual is not None and score >= unusual:
        observations["unusual_window"] = _of_window(
            verdict, score, unusual, PROBABILITY, (f"autoencoder score {score:.2f}, limit {unusual:.2f}",)
        )
    rate = verdict.heart_rate_bpm
    heart_rates: tuple[tuple[Condition, int], ...] = (("heart_rate_low", -1), ("heart_rate_high", 1))
    for condition, side in heart_rates:
        limit = rules[condition].limit
        if rate is not None and limit is not None and side * rate > side * limit:
            reasons = (f"heart rate {rate:.0f}/min, limit {limit:g}/min",)
            observations[condition] = _of_window(verdict, rate, limit, PER_MINUTE, reasons)
    return observations


def _of_finding(verdict: Verdict, finding: Finding, onset_ns: int) -> Observation:
    limit, unit = _FINDING_LIMITS.get(finding.kind, (None, None))
    rhythm = RhythmFinding(kind=finding.kind, start_ns=finding.start_ns, end_ns=finding.end_ns, beats=finding.beats)
    seconds = (finding.end_ns - finding.start_ns) / 1e9
    value = round(seconds, 3) if unit == SECONDS else finding.rate_bpm
    return Observation(
        onset_ns=onset_ns,
        last_ns=max(finding.end_ns, onset_ns),
        score=verdict.fused,
        threshold=verdict.threshold,
        value=value,
        limit=limit,
        unit=unit or (None if value is None else PER_MINUTE),
        reasons=(describe_finding(rhythm),),
    )


def _of_window(
    verdict: Verdict, value: float | None, limit: float | None, unit: str | None, reasons: tuple[str, ...]
) -> Observation:
    return Observation(
        onset_ns=verdict.start_ns,
        last_ns=verdict.end_ns,
        score=verdict.fused,
        threshold=None if verdict.fused is None else verdict.threshold,
        value=value,
        limit=limit,
        unit=unit,
        reasons=reasons,
    )


def _of_signal(verdict: Verdict, suspected: tuple[str, ...]) -> dict[Condition, Observation]:
    flags = set(verdict.quality.flags)
    unusable = verdict.decision == "unusable"
    off = unusable and bool(flags & {"lead_off", "flat"})
    gap = verdict.continuity.gap_before_s > 0 or (unusable and "gap" in flags and not off)
    poor = bool(suspected or flags & {"noisy", "clipped"}) or (unusable and not off and not gap)
    described = verdict.reasons or tuple(flag.replace("_", " ") for flag in verdict.quality.flags) or ("unusable",)
    named: tuple[tuple[Condition, bool, tuple[str, ...]], ...] = (
        ("lead_off", off, described),
        ("gap", gap, described),
        ("poor_signal", poor, (*suspected, *(described if unusable else sorted(flags & {"noisy", "clipped"})))),
    )
    return {
        condition: _of_window(verdict, None, None, None, reasons) for condition, present, reasons in named if present
    }
