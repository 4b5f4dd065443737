"""From the onset of what kills within minutes to its alarm on ``ecg.alerts``, by the real services at real pace."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry

from bus import topics
from bus.clients import KafkaPublisher
from bus.interfaces import Received
from bus.messages import Alert
from bus.settings import KafkaSettings
from ecg.annotations import Annotations, read_annotations
from ecg.errors import EcgStreamError
from ecg.records import Int16Array, Record
from ecg.wfdb_files import find_record
from ecgstream.bench.bench_broker import bench_broker, following
from ecgstream.bench.capacity import machine
from ecgstream.children import Command
from ecgstream.recordings import load_records
from ops.clock import SystemClock
from producer.metrics import ReplayMetrics
from producer.service import Replay
from producer.settings import ReplaySettings
from producer.streams import Patient
from training.alarm_tally import ventricular_runs

BEFORE_S = (20.0, 40.0)  # of signal before an onset, drawn anew for each patient: so the phases are spread
AFTER_S = 15.0  # of signal behind it; an alarm later than that would be missed by far
APART_S = 8.0  # a flutter that follows another sooner is the same to the alarm
FLUTTER_RECORD = "207"  # the only one with flutter
WAIT_S = 10.0  # for alarms behind the last sample
BLOCK_S = 0.2  # the noise floor is measured in the quietest tenth of such blocks
QUIETEST = 10  # %
MIN_NOISE = 1.0  # ADC units: a line that does not move is a lead that is off, and no asystole
FATAL = {"asystole": {"asystole"}, "flutter": {"ventricular_flutter", "ventricular_tachycardia"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class LethalPlan:
    """Plan of a run.

    Attributes
    ----------
    phases : patients of each kind: so many onsets at random places of the grid of windows
    seed : the same seed, the same onsets
    records, folder : asystoles are cut into these records
    flutter : a record with flutter
    chunk_ms : length of a samples message, ms
    """

    phases: int
    seed: int = 0
    records: Sequence[str]
    folder: Path
    flutter: str = FLUTTER_RECORD
    chunk_ms: int = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Onset:
    """A patient, and the index in its stream at which the heart stops."""

    patient: Patient
    index: int


@dataclass(slots=True)
class Heard:
    """Messages heard of each patient.

    Attributes
    ----------
    kind : of the alarms that are waited for
    read_s, detected_ns : of the first alarm that was waited for: wall time of reading it, and when it says it was seen
    starts : when each high alarm started
    """

    kind: str
    topic: str = topics.ALERTS
    read_s: dict[str, float] = field(default_factory=dict)
    detected_ns: dict[str, int] = field(default_factory=dict)
    starts: dict[str, list[int]] = field(default_factory=dict)

    def take(self, message: Received) -> None:
        """Note a message about an alarm."""
        now_s, alert = time.time(), Alert.model_validate_json(message.value or b"")
        if alert.phase != "start" or alert.priority != "high":
            return
        self.starts.setdefault(alert.patient, []).append(alert.detected_ns)
        if alert.condition in FATAL[self.kind] and alert.patient not in self.read_s:
            self.read_s[alert.patient] = now_s
            self.detected_ns[alert.patient] = alert.detected_ns


async def run_lethal(plan: LethalPlan) -> dict[str, Any]:
    """Let the hearts of many patients stop side by side, and wait for the alarms.

    Returns
    -------
    the JSON object of ``ecgstream bench lethal --json``

    Raises
    ------
    EcgStreamError : when a record is missing, or a service fails
    """
    draw = np.random.default_rng(plan.seed)
    wards = {"asystole": asystoles(plan, draw), "flutter": flutters(plan, draw)}
    report: dict[str, Any] = {"phases": plan.phases, "seed": plan.seed, "chunk_ms": plan.chunk_ms}
    async with bench_broker() as broker:
        for kind, onsets in wards.items():
            # Each on topics of its own: nothing of the one is told in the other's time.
            kafka = await broker.kafka(f"{kind}.")
            async with (
                Command(f"detect-{kind}", "detect", kafka=kafka, logs=broker.folder) as detector,
                Command(f"alert-{kind}", "alert", kafka=kafka, logs=broker.folder) as alerting,
            ):
                await asyncio.gather(detector.ready(), alerting.ready())
                report[kind] = await _measure(kafka, kind, onsets, plan, [detector, alerting])
    return report | {"machine": machine()}


async def _measure(
    kafka: KafkaSettings, kind: str, onsets: Sequence[Onset], plan: LethalPlan, services: Sequence[Command]
) -> dict[str, Any]:
    """Replay the patients at real pace, and note when each alarm can be read."""
    heard = Heard(kind)
    async with following(kafka, heard):
        async with KafkaPublisher(kafka) as publisher:
            start_ns = time.time_ns()
            settings = ReplaySettings(
                _env_file=None, speed=1.0, chunk_ms=plan.chunk_ms, start_ns=start_ns, loop=False, patients=None
            )
            replay = Replay(
                [onset.patient for onset in onsets],
                settings,
                publisher=publisher,
                clock=SystemClock(),
                metrics=ReplayMetrics(CollectorRegistry()),
            )
            last = await replay.run(asyncio.Event())
        until_s = time.monotonic() + WAIT_S
        while len(heard.read_s) < len(onsets) and time.monotonic() < until_s:
            await asyncio.gather(*(service.check() for service in services))
            await asyncio.sleep(0.1)
    return figures(onsets, heard, start_ns) | {"replay_behind_s": round(last.behind_s, 3)}


def figures(onsets: Sequence[Onset], heard: Heard, start_ns: int) -> dict[str, Any]:
    """Return how long each alarm took from its onset; the replay keeps record time and wall time together."""
    seconds: list[float] = []
    missed = before = 0
    for number, onset in enumerate(onsets):
        patient = onset.patient
        onset_ns = start_ns + Replay.begins_after_ns(number) + round(onset.index / patient.record.fs_hz * 1e9)
        before += sum(detected_ns < onset_ns for detected_ns in heard.starts.get(patient.id, []))
        if patient.id not in heard.read_s or heard.detected_ns[patient.id] < onset_ns:
            missed += 1
        else:
            seconds.append(heard.read_s[patient.id] - onset_ns / 1e9)
    p50, p95, highest = np.percentile(seconds, [50, 95, 100]).tolist() if seconds else (None, None, None)
    rounded = {
        name: None if value is None else round(value, 2)
        for name, value in {"p50": p50, "p95": p95, "max": highest}.items()
    }
    return {"onsets": len(onsets), "missed": missed, "alarms_before_onset": before, "onset_to_alarm_s": rounded}


def asystoles(plan: LethalPlan, draw: np.random.Generator) -> list[Onset]:
    """Records in turn, each cut to its noise floor at a random place where no ventricular run is near."""
    records = load_records(plan.records, plan.folder)
    quiet = [_calm_places(record, plan.folder) for record in records]
    noise = [_noise_floor(record) for record in records]
    onsets = []
    for number in range(plan.phases):
        record, places = records[number % len(records)], quiet[number % len(records)]
        at, before = int(draw.choice(places)), round(draw.uniform(*BEFORE_S) * record.fs_hz)
        after = round(AFTER_S * record.fs_hz)
        samples = record.samples[at - before : at + after].copy()
        level = np.median(record.samples[at - round(BLOCK_S * record.fs_hz) : at], axis=0)
        floor = draw.normal(level, noise[number % len(records)], (after, samples.shape[1]))
        samples[before:] = np.rint(floor)
        onsets.append(_onset(f"asystole-{number:03d}", record, samples, before))
    return onsets


def flutters(plan: LethalPlan, draw: np.random.Generator) -> list[Onset]:
    """The annotated onsets of flutter in turn, each stream begun at a random place before."""
    (record,) = load_records([plan.flutter], plan.folder)
    annotations = _annotations(plan.flutter, plan.folder)
    begins = [at for at, last in _flutter_begins(annotations) if last is None or at - last >= APART_S * record.fs_hz]
    ends = [0, *(end for _, end in _spans(annotations, "[", "]"))]
    onsets = []
    for number in range(plan.phases):
        at = begins[number % len(begins)]
        since = max(end for end in ends if end <= at)
        before = min(
            round(draw.uniform(*BEFORE_S) * record.fs_hz), at - since - round(draw.uniform(0, 1) * record.fs_hz)
        )
        samples = record.samples[at - before : at + round(AFTER_S * record.fs_hz)]
        onsets.append(_onset(f"flutter-{number:03d}", record, samples, before))
    return onsets


def _annotations(name: str, folder: Path) -> Annotations:
    return read_annotations(find_record(name, folder).with_suffix(""))


def _onset(name: str, record: Record, samples: Int16Array, index: int) -> Onset:
    return Onset(patient=Patient(id=name, record=replace(record, name=name, samples=samples)), index=index)


def _spans(annotations: Annotations, first: str, last: str) -> list[tuple[int, int]]:
    """From each ``first`` to the next ``last``, sample indices."""
    begins = [int(at) for at, symbol in zip(annotations.sample, annotations.symbol, strict=True) if symbol == first]
    ends = [int(at) for at, symbol in zip(annotations.sample, annotations.symbol, strict=True) if symbol == last]
    return [(at, next(end for end in ends if end > at)) for at in begins]


def _flutter_begins(annotations: Annotations) -> Iterator[tuple[int, int | None]]:
    """Each onset, and the end of the flutter before it."""
    end: int | None = None
    for at, until in _spans(annotations, "[", "]"):
        yield at, end
        end = until


def _calm_places(record: Record, folder: Path) -> npt.NDArray[np.int64]:
    """Return where the heart may stop: nothing that is to raise a high alarm lies in the signal before."""
    fs_hz, annotations = record.fs_hz, _annotations(record.name, folder)
    deadly = _spans(annotations, "[", "]") + [
        (round(run.first_ns * fs_hz / 1e9), round(run.last_ns * fs_hz / 1e9))
        for run in ventricular_runs(annotations, fs_hz, 0)
    ]
    longest, end = round((BEFORE_S[1] + 1) * fs_hz), len(record.samples) - round(AFTER_S * fs_hz)
    calm = np.ones(len(record.samples), np.bool_)
    calm[:longest] = calm[end:] = False
    for first, last in deadly:
        calm[max(0, first) : last + longest] = False
    places = np.flatnonzero(calm)
    if not len(places):
        raise EcgStreamError(f"record {record.name} has no {BEFORE_S[1]:g} s without a ventricular run: leave it out")
    return places


def _noise_floor(record: Record) -> npt.NDArray[np.float64]:
    """Standard deviation of each lead's noise, ADC units: of its steps in the quietest tenth of the signal."""
    block = round(BLOCK_S * record.fs_hz)
    steps = np.diff(record.samples.astype(np.float64), axis=0)
    blocks = steps[: len(steps) // block * block].reshape(-1, block, steps.shape[1])
    quiet = np.percentile(blocks.std(axis=1), QUIETEST, axis=0)
    return np.asarray(np.maximum(quiet / np.sqrt(2), MIN_NOISE), np.float64)
