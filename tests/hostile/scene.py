"""Three patients on the bus in memory, one of whom has an arbitrary sender for a while."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alerting.rules import load_rules
from bus import topics
from bus.interfaces import Outgoing
from bus.messages import Alert, Verdict
from bus.partitioning import partition_of
from bus.samples import Chunk
from detector.scorer import Scorer
from ecg.records import Record
from ecgstream.bench.alarm_ends import ended_wrongly
from ecgstream.bench.sender_report import Fate, recoveries
from producer.hostile import Fault, Target, written
from producer.streams import Patient, cut
from tests.hostile.system import PARTITIONS, System

START_NS = 1_700_000_000_000_000_000
EXACT_DIGITS = 15  # the same code judges both runs, in the same order
FAULTS_FROM, FAULTS_TO = 25, 40  # s; nothing but good chunks before and after
RECOVER_S = 60  # of good ECG, within which a sender that mends is judged again
SECONDS = FAULTS_TO + RECOVER_S + 15
VICTIM = "victim"
# The one shares the victim's partition, the other does not.
NEIGHBOUR = next(n for n in (f"n{k}" for k in range(99)) if partition_of(n.encode(), 2) == partition_of(b"victim", 2))
OTHER = next(n for n in (f"n{k}" for k in range(99)) if partition_of(n.encode(), 2) != partition_of(b"victim", 2))
BYSTANDERS = (NEIGHBOUR, OTHER)
BUSY_S, SELDOM_S = 5, 5  # s behind the faults with a turn every second; else one every so many, which is cheap
LETTERS_A_SECOND = 60  # of one sender; what comes beyond them is counted


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """A fault of the victim's sender: seconds of the run in which it lasts, and what seeds it."""

    kind: str
    seed: int
    first: int
    length: int


@dataclass(frozen=True, kw_only=True)
class Stray:
    """One arbitrary message.

    Attributes
    ----------
    at : second of the run
    value : its bytes, or what is changed in the chunk that is due then
    keyed : whose key it bears: the victim's, none, or any bytes
    partition : to which it is sent; None for that of the key
    """

    at: int
    value: bytes | dict[str, Any] | None
    keyed: bytes | None
    partition: int | None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Results of a run."""

    verdicts: dict[str, list[Verdict]]
    shown: dict[tuple[str, str], list[bytes]]
    alerts: dict[str, list[Alert]]
    letters: int
    letter_patients: set[str | None]
    progress_bytes: int


def run(
    scorer: Scorer,
    records: Sequence[Record],
    troubles: Sequence[Trouble],
    strays: Sequence[Stray],
    *,
    chunks_a_second: int = 1,
) -> Outcome:
    """Run the services on the patients, with the faults and the arbitrary messages.

    Parameters
    ----------
    scorer : judges the windows
    records : of the victim, of its neighbour on the partition, and of the patient on another
    troubles, strays : what the victim's sender does
    chunks_a_second : of the victim; the others' are a second long
    """
    return asyncio.run(_run(scorer, records, troubles, strays, chunks_a_second))


async def _run(
    scorer: Scorer,
    records: Sequence[Record],
    troubles: Sequence[Trouble],
    strays: Sequence[Stray],
    chunks_a_second: int,
) -> Outcome:
    target = Target(topic=topics.SAMPLES, partitions=PARTITIONS)
    first, *rest = records
    victim = _chunks(VICTIM, first, chunks_a_second)
    others = [_chunks(name, record, 1) for name, record in zip(BYSTANDERS, rest, strict=True)]
    faults = [(each, Fault(each.kind, str(each.seed), target)) for each in troubles]
    system = System(scorer)
    try:
        for second in range(SECONDS):
            active = [fault for trouble, fault in faults if trouble.first <= second < trouble.first + trouble.length]
            due = victim[second * chunks_a_second : (second + 1) * chunks_a_second]
            sent = [message for chunk in due for fault in active for message in fault.messages(chunk)]
            sent += [_message(each, due[0], target) for each in strays if each.at == second]
            sent += [target.good(chunk) for chunk in due] if not active else []
            await system.second(
                [*sent, *(target.good(chunks[second]) for chunks in others)],
                turn=FAULTS_FROM <= second < FAULTS_TO + BUSY_S or second % SELDOM_S == SELDOM_S - 1,
            )
    finally:
        system.end()
    everybody = (VICTIM, *BYSTANDERS)
    letters = system.letters()
    return Outcome(
        verdicts={name: system.verdicts(name) for name in everybody},
        shown={
            (name, topic): system.about(topic, name)
            for name in everybody
            for topic in (topics.WINDOWS, topics.ANOMALIES, topics.URGENT)
        },
        alerts={name: system.alerts(name) for name in everybody},
        letters=len(letters),
        letter_patients={getattr(letter, "patient", None) for letter in letters},
        progress_bytes=system.progress_bytes(),
    )


def _chunks(name: str, record: Record, a_second: int) -> list[Chunk]:
    length = round(SECONDS * record.fs_hz)
    return list(cut(Patient(id=name, record=record, length=length), chunk_ms=1000 // a_second, start_ns=START_NS))


def _message(stray: Stray, chunk: Chunk, target: Target) -> Outgoing:
    value = written(chunk, stray.value) if isinstance(stray.value, dict) else stray.value
    return Outgoing(topic=target.topic, key=stray.keyed, value=value, partition=stray.partition)


def check(outcome: Outcome, undisturbed: Outcome, *, strangers: bool) -> None:
    """Hold a run against the undisturbed one.

    Parameters
    ----------
    outcome, undisturbed : the two runs
    strangers : whether other patients may have come, whose progress is kept too
    """
    for name in BYSTANDERS:
        assert outcome.alerts[name] == undisturbed.alerts[name], f"the alarms of {name}, a good sender's patient"
        for topic in (topics.WINDOWS, topics.ANOMALIES, topics.URGENT):
            assert outcome.shown[name, topic] == undisturbed.shown[name, topic], f"{topic} of {name}"
    fate = Fate(kind="any", seed="", start_s=FAULTS_FROM, mended_s=FAULTS_TO)
    ((_, late),) = recoveries(
        [fate], undisturbed.verdicts[VICTIM], outcome.verdicts[VICTIM], START_NS, digits=EXACT_DIGITS
    )
    assert late is not None, "a sender that mends is judged again"
    assert late <= RECOVER_S
    wrong = ended_wrongly(outcome.alerts[VICTIM], outcome.verdicts[VICTIM], load_rules())
    assert not wrong, "an alarm ends by what was about it alone"
    ids = [verdict.id for verdict in outcome.verdicts[VICTIM]]
    assert len(ids) == len(set(ids)), "no window is judged twice"
    keys = [(alert.id, alert.sequence) for alert in outcome.alerts[VICTIM]]
    assert len(keys) == len(set(keys)), "no message about an alarm comes twice"
    assert outcome.letters <= LETTERS_A_SECOND * (FAULTS_TO - FAULTS_FROM), "letters are bounded"
    if not strangers:
        assert outcome.progress_bytes < undisturbed.progress_bytes + 100_000, "what is kept is bounded"
