"""Time that scoring a recording takes, and whether it says the same as the stream."""

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from alerting.rules import AlarmRules
from bus.messages import Urgent, Verdict
from bus.samples import Chunk
from detector.offline import EPOCH_NS, chunks_of, verdicts_in
from detector.partition_state import PartitionState
from detector.patient import judge_all
from detector.results import results_of
from detector.scorer import Scorer, scorer_of
from detector.settings import DetectorSettings
from ecg.records import Record
from ecg.wfdb_files import find_record, load_record
from ecgstream.bench.capacity import machine
from ecgstream.evaluation import compare
from reports.scoring import score_file, scored

ROUNDS = 5  # the median of so many: what else runs on the machine strikes single ones
CHUNK_S = 0.25  # as devices send


def bench_score(name: str, folder: Path, settings: DetectorSettings, rules: AlarmRules) -> dict[str, Any]:
    """Score a recording again and again, from its file on, and hold the verdicts against those of a live stream.

    Parameters
    ----------
    name : the record's
    folder : where records lie
    settings, rules : models and preprocessing, and what alarms

    Raises
    ------
    EcgStreamError : when the record cannot be read, or the models cannot be used
    """
    scorer = scorer_of(settings)
    path = find_record(name, folder)
    result = score_file(path, scorer, rules)  # the first one loads what reads files
    seconds, processor = [], []
    for _ in range(ROUNDS):
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        again = score_file(path, scorer, rules)
        seconds.append(time.perf_counter() - began_s)
        processor.append(time.process_time() - began_cpu_s)
    record = load_record(name, folder)
    streamed = compare(
        {name: list(scored(record, scorer, rules, file=name).verdicts)}, {name: stream_verdicts(record, scorer)}
    )
    return {
        "record": name,
        "seconds": result["seconds"],
        "windows": len(result["windows"]),
        "rounds": ROUNDS,
        "score_s": {"median": round(median(seconds), 3), "max": round(max(seconds), 3)},
        "score_cpu_s": round(median(processor), 3),
        "repeatable": again == result,
        "stream": {
            "windows": streamed.windows,
            "missing": streamed.missing,
            "different": streamed.different,
            "largest_difference": streamed.largest_difference,
        },
        "machine": machine(),
    }


def stream_verdicts(record: Record, scorer: Scorer) -> list[Verdict]:
    """The verdicts as the detector gives them live: chunk by chunk, each window judged when it is due.

    Parameters
    ----------
    record : what a device sends
    scorer : judges the windows
    """
    turns = judged_live(record, scorer, chunk_s=CHUNK_S)
    return [verdict for turn in turns for verdict in verdicts_in(turn.published)]


class Turn(NamedTuple):
    """One chunk through the detector.

    Attributes
    ----------
    chunk : what came
    published : what was published of it
    progress : the records that were written with that
    """

    chunk: Chunk
    published: list[Verdict | Urgent]
    progress: list[bytes]


def judged_live(record: Record, scorer: Scorer, *, chunk_s: float) -> Iterator[Turn]:
    """A recording through the detector, chunk by chunk, without Kafka.

    Parameters
    ----------
    record : what a device sends
    scorer : judges the windows
    chunk_s : length of a chunk, s
    """
    state = PartitionState()
    chunks = chunks_of(record, patient="file", device="file", start_ns=EPOCH_NS, chunk_s=chunk_s)
    for offset, chunk in enumerate(chunks):
        published: list[Verdict | Urgent] = []
        due = state.accept(chunk, offset, now_s=0.0).due
        found = results_of(due, scorer, state.signals(due))
        state.filtered(found.signals)
        contexts = {each.stream: state.context(each.stream) for each in due}
        judged = judge_all(contexts, due, found.results, class_beats=scorer.class_beats, manifest=scorer.manifest)
        for each, (context, messages) in zip(due, judged, strict=True):
            state.judged(each.stream, context, published=bool(messages))
            published += messages
        yield Turn(chunk, published, [written for _, written in state.changed()])
