"""Report on hostile senders: a disturbed run held against the undisturbed one. Pure."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from alerting.rules import load_rules
from bus.messages import Alert, DeadLetter, Urgent, Verdict
from ecgstream.bench.alarm_ends import ended_wrongly

SAME = 1e-6  # scores that differ by more are different
NS = 1_000_000_000
RACE_NS = 15 * NS  # an urgent message and the window that says the same are read in any order
# Of an alarm's message: what rests on scores that a batch of another size rounds another way.
_ROUNDED = {"score", "value", "heart_rate_bpm", "quality", "reasons"}

ItemT = TypeVar("ItemT", Verdict, Alert)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """A fault of a sender: its kind and seed, and from when to when it lasts, s from the stream's start."""

    kind: str
    seed: str
    start_s: float
    mended_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Messages of a run, each in the order in which it came.

    Attributes
    ----------
    verdicts, alerts, urgent, letters : the messages
    doubled, repeated : how many verdicts, and messages about alarms, came again, by patient
    rss_mb : memory of each service
    """

    verdicts: Sequence[Verdict]
    doubled: Mapping[str, int]
    alerts: Sequence[Alert]
    repeated: Mapping[str, int]
    urgent: Sequence[Urgent]
    letters: Sequence[DeadLetter]
    rss_mb: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Differences of one run from another."""

    lost: int = 0
    duplicated: int = 0
    different: int = 0

    def __add__(self, other: "Difference") -> "Difference":
        return Difference(
            lost=self.lost + other.lost,
            duplicated=self.duplicated + other.duplicated,
            different=self.different + other.different,
        )

    def as_json(self) -> dict[str, int]:
        """The counts by name."""
        return {"lost": self.lost, "duplicated": self.duplicated, "different": self.different}


def report(
    fates: Mapping[str, Sequence[Fate]], bystanders: Sequence[str], *, calm: Seen, storm: Seen, start_ns: int
) -> dict[str, Any]:
    """Return what ``ecgstream chaos --kinds sender --json`` tells.

    Parameters
    ----------
    fates : the faults of each victim's sender
    bystanders : patients whose senders were good
    calm, storm : the undisturbed run and the other
    start_ns : time of every stream's first sample
    """
    rules = load_rules()
    verdicts, calm_verdicts = _by_patient(storm.verdicts), _by_patient(calm.verdicts)
    alerts, calm_alerts = _by_patient(storm.alerts), _by_patient(calm.alerts)
    racing = {urgent.patient for urgent in (*calm.urgent, *storm.urgent)}
    judged, alarmed = Difference(), Difference()
    changed: list[str] = []
    for patient in bystanders:
        judged += _verdicts_differ(calm_verdicts[patient], verdicts[patient], storm.doubled.get(patient, 0))
        ends_ns = max((verdict.end_ns for verdict in calm_verdicts[patient]), default=0)
        before = [alert for alert in calm_alerts[patient] if alert.told_ns <= ends_ns]
        after = [alert for alert in alerts[patient] if alert.told_ns <= ends_ns]
        compared = _racing_alarms_differ if patient in racing else _alarms_differ
        alarmed += compared(before, after, storm.repeated.get(patient, 0))
        # By name, so that a machine out of breath (silent patients) can be told from what a sender did.
        changed += sorted(_messages(before) ^ _messages(after))
    recovered = [
        (fate, patient, took_s)
        for patient, faults in fates.items()
        for fate, took_s in recoveries(faults, calm_verdicts[patient], verdicts[patient], start_ns)
    ]
    took = [took_s for _, _, took_s in recovered if took_s is not None]
    wrong = [alert for patient in alerts for alert in ended_wrongly(alerts[patient], verdicts[patient], rules)]
    return {
        "faults": dict(Counter(fate.kind for fate, _, _ in recovered)),
        "patients": {"victims": len(fates), "bystanders": len(bystanders)},
        "expected": sum(len(calm_verdicts[patient]) for patient in bystanders),
        **judged.as_json(),
        "bystanders": (judged + alarmed).as_json()
        | {
            "verdicts": sum(len(verdicts[patient]) for patient in bystanders),
            "alarm_messages": sum(len(alerts[patient]) for patient in bystanders),
        },
        "alarm_messages_in_one_run": changed,
        "recovered": {"patients": len(took), "of": len(recovered), "max_s": round(max(took), 1) if took else None},
        "not_recovered": [
            {"patient": patient, "kind": fate.kind, "seed": fate.seed, "start_s": round(fate.start_s, 1)}
            for fate, patient, took_s in recovered
            if took_s is None
        ],
        "alarms_ended_wrongly": len(wrong),
        "ended_wrongly": [{"id": alert.id, "reasons": list(alert.reasons)} for alert in wrong],
        "latched": _latched(fates, alerts),
        "refused": _refused(storm.letters),
        "letters": len(storm.letters),
        "rss_mb": {name: dict(figures) for name, figures in storm.rss_mb.items()},
        "takeover_s": None,
    }


def recoveries(
    faults: Sequence[Fate], calm: Sequence[Verdict], found: Sequence[Verdict], start_ns: int, *, digits: int = 4
) -> list[tuple[Fate, float | None]]:
    """Return, for each fault, how much good ECG it took until every window was judged by the patient's own samples.

    Until then verdicts are missing, or rest on samples that the good sender did not send or whose absence shows. None
    where it was so up to the next fault. Scores are held against each other to ``digits`` places.
    """
    here = {samples_of(verdict, digits) for verdict in found}
    ends_s = [fault.start_s for fault in faults[1:]] + [float("inf")]
    took: list[tuple[Fate, float | None]] = []
    for fault, end_s in zip(faults, ends_s, strict=True):
        mended_ns = start_ns + round(fault.mended_s * 1e9)
        since_ns: int | None = mended_ns
        for verdict in calm:
            if verdict.end_ns <= mended_ns or (verdict.end_ns - start_ns) / 1e9 > end_s - 2:
                continue
            if samples_of(verdict, digits) not in here:
                since_ns = None
            elif since_ns is None:
                since_ns = verdict.end_ns
        took.append((fault, None if since_ns is None else (since_ns - mended_ns) / 1e9))
    return took


def samples_of(verdict: Verdict, digits: int = 4) -> tuple[object, ...]:
    """Return what of a verdict rests on the window and the ten seconds before it, and on nothing that was learned."""
    scores = (verdict.cnn, verdict.autoencoder_error, verdict.heart_rate_bpm)
    return (
        verdict.patient,
        verdict.start_ns,
        verdict.end_ns,
        verdict.lead,
        *(None if score is None else round(score, digits) for score in scores),
        verdict.continuity.missing_samples,
    )


def _by_patient(items: Sequence[ItemT]) -> defaultdict[str, list[ItemT]]:
    found: defaultdict[str, list[ItemT]] = defaultdict(list)
    for item in items:
        found[item.patient].append(item)
    return found


def _verdicts_differ(calm: Sequence[Verdict], storm: Sequence[Verdict], doubled: int) -> Difference:
    after = {verdict.id: verdict for verdict in storm}
    before = {verdict.id: verdict for verdict in calm}
    different = sum(name in after and not _alike(verdict, after[name]) for name, verdict in before.items())
    return Difference(
        lost=len(before.keys() - after.keys()),
        duplicated=doubled,
        different=different + len(after.keys() - before.keys()),
    )


def _alike(one: Verdict, other: Verdict) -> bool:
    pairs = [(one.cnn, other.cnn), (one.autoencoder, other.autoencoder), (one.fused, other.fused)]
    same = all((a is None) == (b is None) and (a is None or abs(a - (b or 0.0)) <= SAME) for a, b in pairs)
    return same and (one.decision, one.findings, one.continuity, [beat.t_ns for beat in one.beats]) == (
        other.decision,
        other.findings,
        other.continuity,
        [beat.t_ns for beat in other.beats],
    )


def _alarms_differ(calm: Sequence[Alert], storm: Sequence[Alert], repeated: int) -> Difference:
    before = {(alert.id, alert.sequence): alert.model_dump(exclude=_ROUNDED) for alert in calm}
    after = {(alert.id, alert.sequence): alert.model_dump(exclude=_ROUNDED) for alert in storm}
    different = sum(key in after and after[key] != alert for key, alert in before.items())
    return Difference(
        lost=len(before.keys() - after.keys()),
        duplicated=repeated,
        different=different + len(after.keys() - before.keys()),
    )


def _messages(alerts: Sequence[Alert]) -> set[str]:
    return {f"{alert.id}#{alert.sequence} {alert.phase}" for alert in alerts}


def _racing_alarms_differ(calm: Sequence[Alert], storm: Sequence[Alert], repeated: int) -> Difference:
    """Of a patient with urgent messages: which alarms of high priority started.

    Verdicts and urgent messages are read in any order, so that the one or the other starts an alarm.
    """
    left = [alert for alert in storm if alert.phase == "start" and alert.priority == "high"]
    lost = 0
    for alert in calm:
        if alert.phase != "start" or alert.priority != "high":
            continue
        match = next(
            (
                each
                for each in left
                if each.condition == alert.condition and abs(each.detected_ns - alert.detected_ns) <= RACE_NS
            ),
            None,
        )
        lost += match is None
        if match is not None:
            left.remove(match)
    return Difference(lost=lost, duplicated=repeated, different=len(left))


def _latched(fates: Mapping[str, Sequence[Fate]], alerts: Mapping[str, Sequence[Alert]]) -> int:
    """Return how many of the victims' alarms were latched, so that nothing but a person may end them."""
    return len({alert.id for patient in fates for alert in alerts.get(patient, ()) if alert.state == "latched"})


def _refused(letters: Sequence[DeadLetter]) -> dict[str, int]:
    refused: Counter[str] = Counter()
    for letter in letters:
        refused[getattr(letter, "code", None) or "unnamed"] += getattr(letter, "count", 1)
    return dict(refused)
