"""Plan of an installation for very many patients: measured sizes, the group's own assignment, and what a failure moves.

Nothing is extrapolated that can be computed: message sizes are those of a real recording through the real detector,
patients are dealt out by Kafka's own hash, and partitions by the assignor of the detector's consumer group.
"""

import time
from collections import Counter
from dataclasses import dataclass
from math import ceil
from statistics import fmean
from typing import Any

from bus import topics
from bus.assignment import Assignment, assign
from bus.exactly_once import SESSION_TIMEOUT_MS
from bus.partitioning import partition_of
from bus.samples import encode
from detector.offline import verdicts_in
from detector.scorer import Scorer
from ecg.errors import EcgStreamError
from ecg.records import Record
from ecg.segments import SEGMENT_S
from ecg.windows import HOP_S
from ecgstream.bench.capacity import machine
from ecgstream.bench.scoring import judged_live

RECORD_OVERHEAD = 70  # bytes of a Kafka record beside key and value, in batches of a few
RETENTION_S = {topic.name: topic.retention_ms / 1000 for topic in topics.TOPICS if topic.retention_ms}
GB = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalePlan:
    """Wishes, measured figures and assumptions of a plan.

    Attributes
    ----------
    patients : live patients
    cell_patients : patients of one cell: an installation of its own, under a topic prefix of its own
    core_patients : that one core of a detector carries, as measured by ``bench capacity``
    chunk_ms : length of a message, ms
    replication : replicas of each partition
    broker_mb_s : that one broker takes in and passes on, MB/s each
    core_month, disk_month : price of a core, and of a GB of disk, a month, in any currency
    """

    patients: int
    cell_patients: int
    core_patients: int
    chunk_ms: int
    replication: int
    broker_mb_s: float
    core_month: float
    disk_month: float

    def __post_init__(self) -> None:
        if self.cell_patients < self.core_patients:
            raise EcgStreamError(
                f"cell_patients={self.cell_patients} is below core_patients={self.core_patients}: a cell holds a core"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Bytes that one patient brings about, with keys and Kafka's own part.

    Attributes
    ----------
    sample, verdict, progress : of a message on each topic
    """

    sample: float
    verdict: float
    progress: float


def sizes_of(record: Record, *, chunk_ms: int, scorer: Scorer) -> Sizes:
    """Let the detector judge a recording and weigh what it reads and writes.

    Parameters
    ----------
    record : a minute or more
    chunk_ms : length of a message, ms
    scorer : judges the windows
    """
    turns = list(judged_live(record, scorer, chunk_s=chunk_ms / 1000))
    samples = [len(encode(turn.chunk)) for turn in turns]
    verdicts = [len(verdict.to_bytes()) for turn in turns for verdict in verdicts_in(turn.published)]
    progress = [len(written) for turn in turns for written in turn.progress]
    beside = RECORD_OVERHEAD + len(record.name)
    return Sizes(sample=beside + fmean(samples), verdict=beside + fmean(verdicts), progress=beside + fmean(progress))


def plan_scale(plan: ScalePlan, sizes: Sizes) -> dict[str, Any]:
    """Return the JSON object of ``ecgstream bench scale --json``."""
    cells = ceil(plan.patients / plan.cell_patients)
    in_cell = ceil(plan.patients / cells)
    workers = ceil(in_cell / plan.core_patients)
    partitions = 4 * workers  # a worker that fails leaves its four to four others, a quarter more for each
    load = Counter(partition_of(f"patient-{number:08d}".encode(), partitions) for number in range(in_cell))
    names = [f"detector-{number:04d}" for number in range(workers)]
    began_s = time.perf_counter()
    before = assign(partitions, names)
    assigned_s = time.perf_counter() - began_s
    per_worker = [sum(load[partition] for partition in held) for held in before.values()]
    # Verdicts and progress every hop; one window in ten or so is an anomaly, too.
    samples_s = in_cell * 1000 / plan.chunk_ms * sizes.sample
    written_s = in_cell / HOP_S * (1.1 * sizes.verdict + sizes.progress)
    in_s = (samples_s + written_s) * plan.replication
    out_s = samples_s + written_s + (samples_s + written_s) * (plan.replication - 1) + samples_s
    brokers = max(plan.replication, ceil(max(in_s, out_s) / (plan.broker_mb_s * 1e6)))
    kept = samples_s * RETENTION_S[topics.SAMPLES] + in_cell / HOP_S * sizes.verdict * RETENTION_S[topics.WINDOWS]
    disk_gb = kept * plan.replication / GB
    cores = workers + 4 * brokers
    return {
        "patients": plan.patients,
        "cells": cells,
        "cell": {
            "patients": in_cell,
            "detector_cores": workers,
            "partitions": partitions,
            "patients_of_a_partition": {"mean": round(in_cell / partitions), "most": max(load.values())},
            "patients_of_a_core": {"mean": round(in_cell / workers), "most": max(per_worker)},
            "brokers": brokers,
            "network_mb_s": {"in": round(in_s / 1e6, 1), "out": round(out_s / 1e6, 1)},
            "disk_gb": round(disk_gb),
            "price_month": round(cores * plan.core_month + disk_gb * plan.disk_month),
            "assignment_s": round(assigned_s, 2),
            "failure": failure(plan, partitions, names, before, load),
        },
        "price_month": round(cells * (cores * plan.core_month + disk_gb * plan.disk_month)),
        "bytes": {"sample": round(sizes.sample), "verdict": round(sizes.verdict), "progress": round(sizes.progress)},
        "assumed": {
            "core_patients": plan.core_patients,
            "broker_mb_s": plan.broker_mb_s,
            "broker_cores": 4,
            "core_month": plan.core_month,
            "disk_gb_month": plan.disk_month,
        },
        "machine": machine(),
    }


def failure(
    plan: ScalePlan, partitions: int, names: list[str], before: Assignment, load: Counter[int]
) -> dict[str, Any]:
    """Take one worker away and say who is touched.

    Parameters
    ----------
    plan, partitions : as planned
    names, before : the workers and what each holds
    load : patients of each partition
    """
    if len(names) == 1:
        return {"moved_partitions": partitions, "patients": sum(load.values()), "most_patients_of_a_core": None}
    after = assign(partitions, names[1:], before)
    moved = [(name, partition) for name, held in after.items() for partition in held - before[name]]
    most = max(sum(load[partition] for partition in held) for held in after.values())
    again = max(Counter(name for name, _ in moved).values())
    waits_s = SESSION_TIMEOUT_MS / 1000
    # Who takes a partition over reads what the rings need, and what came while nobody judged.
    messages = max(load.values()) * 1000 / plan.chunk_ms * (SEGMENT_S + waits_s)
    return {
        "moved_partitions": len(moved),
        "patients": sum(load[partition] for _, partition in moved),
        "most_partitions_for_one": again,
        "most_patients_of_a_core": most,
        "silent_s": waits_s,
        "messages_read_again_of_a_partition": round(messages),
    }
