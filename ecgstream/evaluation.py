"""Judging whole records, offline or through a real Kafka, and holding the two against each other."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from prometheus_client import CollectorRegistry

from alerting.policy import policy
from alerting.rules import AlarmRules
from alerting.state import PatientState
from bus import topics
from bus.clients import KafkaReader
from bus.messages import Alert, Urgent, Verdict
from bus.settings import KafkaSettings
from detector.offline import EPOCH_NS, judge_record, verdicts_in
from detector.scorer import Scorer, scorer_of
from detector.settings import DetectorSettings
from ecg.annotations import Annotations, read_annotations
from ecg.errors import EcgStreamError
from ecg.records import Record, exact_rate
from ecg.wfdb_files import find_record, load_record
from ecg.windows import Grid
from ecgstream.recordings import names_of
from ecgstream.replaying import replay
from ecgstream.services import Service
from producer.settings import FaultSettings, ReplaySettings

WORKERS = 2  # processes that judge records side by side: more than the processors there are would gain nothing
POLL_MS = 200
EVERY = "all"
VERDICTS_DUE_S = 30.0  # a verdict that has not come so long after the one before it will never come
ALERTS_DUE_S = 2.0  # after the last verdict

ResultT = TypeVar("ResultT")
Progress = Callable[[int], None]  # is told how many more windows, or records, are done


@dataclass(slots=True)
class Judged:
    """Records judged: verdicts and urgent messages in their order, messages about alerts, each by record name."""

    verdicts: dict[str, list[Verdict]] = field(default_factory=dict)
    urgent: dict[str, list[Urgent]] = field(default_factory=dict)
    alerts: dict[str, list[Alert]] = field(default_factory=dict)

    @classmethod
    def of(cls, names: Iterable[str]) -> "Judged":
        """Of some records, before anything was judged."""
        judged = cls()
        for name in names:
            judged.verdicts[name], judged.urgent[name], judged.alerts[name] = [], [], []
        return judged

    def note(self, read: Verdict | Urgent | Alert) -> None:
        """Note a message, unless it tells of a patient who was replayed before and is silent now."""
        if read.patient not in self.verdicts:
            return
        if isinstance(read, Alert):
            self.alerts[read.patient].append(read)
        elif isinstance(read, Urgent):
            self.urgent[read.patient].append(read)
        else:
            self.verdicts[read.patient].append(read)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """Settings of a judgement of records.

    Attributes
    ----------
    folder : where the records are
    settings : models and preprocessing
    rules : what alarms
    """

    folder: Path
    settings: DetectorSettings
    rules: AlarmRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Differences of two judgements of the same records.

    Attributes
    ----------
    windows : windows that both judged
    missing : windows that only one of them judged
    different : windows whose decision or beats differ, or of which only one has a score
    largest_difference : of any score of any window
    """

    windows: int
    missing: int
    different: int
    largest_difference: float


_scorer: Scorer | None = None  # one for each process of the pool: loading the models takes longer than a record


def _load(settings: DetectorSettings) -> None:
    global _scorer  # noqa: PLW0603 # the only way to keep something in a process of a pool
    _scorer = scorer_of(settings)


def judged_each(
    settings: DetectorSettings, judge: Callable[..., ResultT], *arguments: Sequence[object]
) -> Iterator[ResultT]:
    """Call a function of ``judged_here`` for each set of arguments, side by side in processes that hold the models.

    Parameters
    ----------
    settings : the models
    judge : a function of a module, so that a process can import it
    arguments : for each of its parameters, one value a call; in order, as ``map`` takes them
    """
    if len(arguments[0]) == 1:  # a process takes longer to start than one record to judge
        _load(settings)
        yield judge(*(values[0] for values in arguments))
        return
    workers = min(WORKERS, len(arguments[0]))
    # Spawned, not forked: onnxruntime's threads do not survive a fork.
    with ProcessPoolExecutor(workers, get_context("spawn"), _load, (settings,)) as pool:
        yield from pool.map(judge, *arguments)


def judged_here(record: Record) -> list[Verdict | Urgent]:
    """Return what the detector tells of a record, in a process that holds the models."""
    if _scorer is None:
        raise RuntimeError("the process has no scorer")
    return list(judge_record(record, _scorer))


def _judge(name: str, folder: Path) -> list[Verdict | Urgent]:
    return judged_here(load_record(name, folder))


def annotated_records(
    selection: str, folder: Path, *, annotator: str = "atr"
) -> tuple[dict[str, Annotations], dict[str, str]]:
    """The annotations of the records that are meant, and which records of "all" cannot be evaluated, and why.

    Parameters
    ----------
    selection : "ds1", "ds2", "all", or names separated by commas
    folder : where the records are
    annotator : the annotation files' extension

    Raises
    ------
    EcgStreamError : when a record that was named cannot be evaluated, or none can
    """
    annotations: dict[str, Annotations] = {}
    left_out: dict[str, str] = {}
    every = selection.lower() == EVERY
    for name in names_of([selection], folder):
        try:
            annotations[name] = read_annotations(find_record(name, folder).with_suffix(""), extension=annotator)
            if every:  # many databases hold a few records of another kind: what is named must be there, the rest may
                load_record(name, folder)
        except EcgStreamError as error:
            if not every:
                raise
            annotations.pop(name, None)
            left_out[name] = str(error)
    if not annotations:
        raise EcgStreamError(f"no record of {folder} can be evaluated; {next(iter(left_out.values()))}")
    return annotations, left_out


def judge_offline(names: Sequence[str], judging: Judging, *, done: Progress) -> Judged:
    """Judge records by the detector's and alerting's pure cores, without a broker.

    Parameters
    ----------
    names : which records
    judging : by what
    done : is told of every record that is done

    Raises
    ------
    EcgStreamError : when a record or the models cannot be read
    """
    judged = Judged()
    found = judged_each(judging.settings, _judge, names, [judging.folder] * len(names))
    for name, published in zip(names, found, strict=True):
        judged.verdicts[name] = verdicts_in(published)
        judged.urgent[name] = [each for each in published if isinstance(each, Urgent)]
        judged.alerts[name] = alerts_of(published, judging.rules)
        done(1)
    return judged


def alerts_of(found: Sequence[Verdict | Urgent], rules: AlarmRules) -> list[Alert]:
    """Every message about the alerts of one record, from all that the detector tells of it."""
    published: list[Alert] = []
    state: PatientState | None = None
    for each in found:
        state, actions = policy(state, each, rules)
        published.extend(action for action in actions if isinstance(action, Alert))
    return published


def windows_in(record: Record) -> int:
    """Return how many whole windows a record has."""
    return Grid(exact_rate(record.fs_hz)).window_of(len(record.samples))


async def judge_on_kafka(
    records: Sequence[Record],
    kafka: KafkaSettings,
    *,
    chunk_ms: int,
    check: Callable[[], Awaitable[None]],
    done: Progress,
) -> Judged:
    """Judge records by a detector and alerting that run on Kafka, as fast as they go.

    Parameters
    ----------
    records : what to replay, each as the patient of its name
    kafka : where detector and alerting work
    chunk_ms : length of a samples message, ms
    check : raises when a service has failed
    done : is told of every window that is judged

    Raises
    ------
    EcgStreamError : when verdicts do not come, or come twice
    """
    judged = Judged.of(record.name for record in records)
    expected = sum(windows_in(record) for record in records)
    service = Service(asyncio.Event(), CollectorRegistry())
    settings = ReplaySettings(
        speed="max", chunk_ms=chunk_ms, start_ns=EPOCH_NS, loop=False, patients=None, duration_s=None
    )
    names: dict[str, type[Verdict | Urgent | Alert]] = {
        topics.WINDOWS: Verdict,
        topics.URGENT: Urgent,
        topics.ALERTS: Alert,
    }
    async with KafkaReader(kafka, list(names), start="end") as reader:
        replaying = asyncio.create_task(
            replay(service, kafka, settings, FaultSettings(), records=records, noise=None, progress=lambda _: None)
        )
        try:
            seen, came_s = 0, time.monotonic()
            while True:
                await check()
                if replaying.done():
                    replaying.result()
                for message in await reader.batch(timeout_ms=POLL_MS):
                    read = names[message.topic].model_validate_json(message.value or b"")
                    judged.note(read)
                    came_s = time.monotonic()
                    if isinstance(read, Verdict):
                        seen += 1
                        done(1)
                idle_s = time.monotonic() - came_s
                if seen >= expected and idle_s >= ALERTS_DUE_S:
                    break
                if replaying.done() and idle_s >= VERDICTS_DUE_S:
                    raise EcgStreamError(
                        f"{seen} of {expected} verdicts came, and none for {VERDICTS_DUE_S:g} s: see the detector's log"
                    )
        finally:
            service.stop.set()
            await replaying
    for name, verdicts in judged.verdicts.items():
        if [verdict.window for verdict in verdicts] != list(range(len(verdicts))):
            raise EcgStreamError(f"record {name}: its verdicts are not each once and in order: see the detector's log")
    return judged


def compare(one: Mapping[str, Sequence[Verdict]], other: Mapping[str, Sequence[Verdict]]) -> Comparison:
    """Hold two judgements of the same records against each other, window by window."""
    first = {(name, verdict.window): verdict for name, verdicts in one.items() for verdict in verdicts}
    second = {(name, verdict.window): verdict for name, verdicts in other.items() for verdict in verdicts}
    both = first.keys() & second.keys()
    different, largest = 0, 0.0
    for key in both:
        a, b = first[key], second[key]
        pairs = [(a.cnn, b.cnn), (a.autoencoder, b.autoencoder), (a.fused, b.fused)]
        scored = [(x, y) for x, y in pairs if x is not None and y is not None]
        halves = sum((x is None) != (y is None) for x, y in pairs)
        different += a.decision != b.decision or halves > 0 or _beats(a) != _beats(b)
        largest = max([largest, *(abs(x - y) for x, y in scored)])
    return Comparison(
        windows=len(both), missing=len(first.keys() ^ second.keys()), different=different, largest_difference=largest
    )


def compare_urgent(one: Mapping[str, Sequence[Urgent]], other: Mapping[str, Sequence[Urgent]]) -> tuple[int, int]:
    """Return how many urgent messages on the same records both told alike, and how many only one of them did."""
    first, second = (Counter(map(_said, chain.from_iterable(published.values()))) for published in (one, other))
    return (first & second).total(), ((first - second) + (second - first)).total()


def _said(urgent: Urgent) -> tuple[object, ...]:
    """Return what an urgent message says, times since the stream's start."""
    start_ns = urgent.stream_start_ns
    return (urgent.patient, urgent.second, urgent.kind, urgent.start_ns - start_ns, urgent.lead, urgent.value)


def _beats(verdict: Verdict) -> list[tuple[int, str | None]]:
    """Time since the stream's start, ns, and class of each beat: a replay's patients begin one after the other."""
    return [(beat.t_ns - verdict.stream_start_ns, beat.beat_class) for beat in verdict.beats]
