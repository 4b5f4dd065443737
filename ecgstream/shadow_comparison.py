"""Models in the shadow against those that count: both topics of verdicts, window by window."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog
from pydantic import ValidationError
from rich.console import RenderableType
from rich.table import Table

from alerting.policy import policy
from alerting.rules import AlarmRules
from alerting.state import PatientState
from bus import topics
from bus.clients import KafkaReader
from bus.interfaces import Received
from bus.messages import Alert, Decision, Verdict
from bus.settings import KafkaSettings
from detector.publishing import SHADOW_HEADER
from ecg.errors import EcgStreamError
from ecgstream.wording import time_of

DECISIONS: tuple[Decision, ...] = ("normal", "abnormal", "unusable")

log = structlog.get_logger(__name__)


class ScoredDecision(NamedTuple):
    """Decision and fused score of a verdict."""

    decision: Decision
    fused: float | None


class Disagreement(NamedTuple):
    """A window on which the two decided otherwise."""

    id: str
    patient: str
    start_ns: int
    end_ns: int
    shipped: ScoredDecision
    shadow: ScoredDecision


class Alarms:
    """Alarms that verdicts would raise by themselves, without the urgent messages of the rapid checks.

    Parameters
    ----------
    rules : what alarms
    """

    def __init__(self, rules: AlarmRules) -> None:
        self._rules = rules
        self._states: dict[str, PatientState | None] = {}
        self._begun: dict[str, str] = {}  # condition by alarm

    def take(self, verdict: Verdict) -> None:
        """Take in the next verdict on a patient."""
        state, actions = policy(self._states.get(verdict.patient), verdict, self._rules)
        self._states[verdict.patient] = state
        self._begun.update((action.id, action.condition) for action in actions if isinstance(action, Alert))

    @property
    def by_condition(self) -> dict[str, int]:
        """Return how many there are of each condition."""
        return dict(sorted(Counter(self._begun.values()).items()))


@dataclass(slots=True, kw_only=True, eq=False)
class ShadowComparison:
    """Comparison of the verdicts of the shadow's newest models with those that count.

    Attributes
    ----------
    shipped, shadow : versions of the models
    patients : who was judged by both
    decided : how many windows, by the decisions of both
    disagreements : windows on which the two decided otherwise, those of the largest difference of scores first
    alarms_shipped, alarms_shadow : that the verdicts compared would raise, by condition
    us_per_window : mean time of a window in the shadow, microseconds
    other_models : verdicts of models that were in the shadow before, left out
    alone : verdicts of the shadow whose window is not on the other topic
    """

    shipped: dict[str, str] = field(default_factory=dict)
    shadow: dict[str, str] = field(default_factory=dict)
    patients: set[str] = field(default_factory=set)
    decided: Counter[tuple[Decision, Decision]] = field(default_factory=Counter)
    disagreements: list[Disagreement] = field(default_factory=list)
    alarms_shipped: dict[str, int] = field(default_factory=dict)
    alarms_shadow: dict[str, int] = field(default_factory=dict)
    us_per_window: float = 0.0
    other_models: int = 0
    alone: int = 0

    @property
    def windows(self) -> int:
        """Return how many windows were judged by both."""
        return self.decided.total()

    @property
    def agreement(self) -> float:
        """Return the share of the windows with one decision."""
        return sum(self.decided[each, each] for each in DECISIONS) / self.windows


async def compare_shadow(kafka: KafkaSettings, rules: AlarmRules) -> ShadowComparison:
    """Compare all that lies on the two topics now.

    Parameters
    ----------
    kafka : how to reach Kafka
    rules : what alarms

    Raises
    ------
    BrokerError : when Kafka does not answer, or lacks a topic
    EcgStreamError : when there is nothing to compare
    """
    newest = await _newest_models(kafka)
    found = ShadowComparison(shadow=newest)
    in_shadow: dict[str, ScoredDecision] = {}
    alarms, total_us = Alarms(rules), 0
    async for message, verdict in _verdicts(kafka, topics.SHADOW_WINDOWS):
        if verdict.models != newest:
            found.other_models += 1
            continue
        in_shadow[verdict.id] = ScoredDecision(verdict.decision, verdict.fused)
        total_us += int(dict(message.headers).get(SHADOW_HEADER, b"0"))
        alarms.take(verdict)
    found.us_per_window = total_us / max(1, len(in_shadow))
    found.alarms_shadow = alarms.by_condition
    alarms = Alarms(rules)
    async for _, verdict in _verdicts(kafka, topics.WINDOWS):
        shadow = in_shadow.pop(verdict.id, None)
        if shadow is None:
            continue
        alarms.take(verdict)
        found.shipped = verdict.models
        found.patients.add(verdict.patient)
        found.decided[verdict.decision, shadow.decision] += 1
        if verdict.decision != shadow.decision:
            shipped = ScoredDecision(verdict.decision, verdict.fused)
            found.disagreements.append(
                Disagreement(verdict.id, verdict.patient, verdict.start_ns, verdict.end_ns, shipped, shadow)
            )
    found.alone, found.alarms_shipped = len(in_shadow), alarms.by_condition
    if not found.windows:
        raise EcgStreamError(
            f"0 windows of {topics.SHADOW_WINDOWS} are on {topics.WINDOWS}, too, at least 1 must be: let "
            "'ecgstream detect --shadow DIR' run while patients stream, for 15 s or more"
        )
    found.disagreements.sort(key=lambda each: (-_apart(each), each.start_ns, each.patient))
    return found


def comparison_lines(found: ShadowComparison, *, most: int) -> Iterator[RenderableType]:
    """Yield a comparison as people read it.

    Parameters
    ----------
    most : disagreements that are listed
    """
    yield f"shipped: {', '.join(found.shipped.values())}; in the shadow: {', '.join(found.shadow.values())}"
    yield f"patients: {len(found.patients)}; windows: {found.windows}, one decision on {found.agreement:.1%} of them"
    table = Table("shipped \\ shadow", *DECISIONS)
    for shipped in DECISIONS:
        table.add_row(shipped, *(str(found.decided[shipped, shadow]) for shadow in DECISIONS))
    yield table
    if found.disagreements:
        listed = Table("patient", "time", "shipped", "score", "shadow", "score")
        for each in found.disagreements[:most]:
            scores = ["-" if one.fused is None else f"{one.fused:.3f}" for one in (each.shipped, each.shadow)]
            listed.add_row(
                each.patient, time_of(each.start_ns), each.shipped.decision, scores[0], each.shadow.decision, scores[1]
            )
        yield f"{len(found.disagreements)} disagreements, the largest {min(most, len(found.disagreements))}:"
        yield listed
    for name, alarms in (("shipped", found.alarms_shipped), ("the shadow", found.alarms_shadow)):
        kinds = ", ".join(f"{count} {condition.replace('_', ' ')}" for condition, count in alarms.items())
        yield f"alarms by these verdicts alone, {name}: {sum(alarms.values())}{f' ({kinds})' if kinds else ''}"
    yield f"the shadow took {found.us_per_window / 1000:.3f} ms a window"
    if found.other_models:
        yield f"{found.other_models} verdicts of models that were in the shadow before are left out"
    if found.alone:
        yield f"{found.alone} windows of the shadow are left out: their verdicts are not on {topics.WINDOWS} any more"


def comparison_result(found: ShadowComparison) -> dict[str, object]:
    """Return a comparison as JSON has it."""
    return {
        "models": {"shipped": found.shipped, "shadow": found.shadow},
        "patients": len(found.patients),
        "windows": found.windows,
        "agreement": found.agreement,
        "decisions": {
            shipped: {shadow: found.decided[shipped, shadow] for shadow in DECISIONS} for shipped in DECISIONS
        },
        "disagreements": [
            {
                "id": each.id,
                "patient": each.patient,
                "start_ns": each.start_ns,
                "end_ns": each.end_ns,
                "shipped": each.shipped._asdict(),
                "shadow": each.shadow._asdict(),
            }
            for each in found.disagreements
        ],
        "alarms": {"shipped": found.alarms_shipped, "shadow": found.alarms_shadow},
        "us_per_window": found.us_per_window,
        "left_out": {"of_other_models": found.other_models, "without_counterpart": found.alone},
    }


async def _newest_models(kafka: KafkaSettings) -> dict[str, str]:
    """Return the versions of the models that were in the shadow last; none where there were none."""
    newest: dict[str, str] = {}
    newest_ms = -1
    async for message, verdict in _verdicts(kafka, topics.SHADOW_WINDOWS):
        if message.timestamp_ms >= newest_ms:
            newest, newest_ms = verdict.models, message.timestamp_ms
    return newest


async def _verdicts(kafka: KafkaSettings, topic: str) -> AsyncIterator[tuple[Received, Verdict]]:
    """Yield all verdicts of a topic, each with its message."""
    async with KafkaReader(kafka, [topic], start="beginning") as reader:
        async for message in reader.to_end():
            try:
                yield message, Verdict.model_validate_json(message.value or b"")
            except ValidationError as error:
                log.warning("not readable", topic=topic, offset=message.offset, error=str(error))


def _apart(each: Disagreement) -> float:
    if each.shipped.fused is None or each.shadow.fused is None:
        return 0.0
    return abs(each.shipped.fused - each.shadow.fused)
