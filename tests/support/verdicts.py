"""Verdicts on a record, for tests that look at nothing else."""

from typing import Any

from bus.messages import Verdict
from detector.offline import judge_record, verdicts_in
from detector.scorer import Scorer
from ecg.records import Record


def verdicts_of(record: Record, scorer: Scorer, **arguments: Any) -> list[Verdict]:
    """The verdicts on every whole window of a record, in order: see ``judge_record``."""
    return verdicts_in(judge_record(record, scorer, **arguments))
