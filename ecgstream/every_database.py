"""Evaluation on every database that is in the data directory, each by its own form."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

from alerting.rules import AlarmRules
from detector.manifest import load_manifest
from detector.settings import DetectorSettings
from ecg.errors import EcgStreamError
from ecg.wfdb_files import list_records
from ecgstream.database_evaluation import FORMS, evaluate_database
from ecgstream.evaluation import Judging, Progress, annotated_records, judge_offline
from reports.episodes import span_s
from training.databases import DATABASES, mitdb
from training.evaluate import evaluate_tallies
from training.finding_counts import FindingCounts, known_by_annotations
from training.tally import tally_records

EVERY_DATABASE = "all"
# The test set stays closed unless it is asked for by name.
_RECORDS = {mitdb.DATABASE.name: "ds1"}
Tracker = Callable[[str, int], AbstractContextManager[Progress]]  # of a database: its name, and how many records


class Evaluated(NamedTuple):
    """A database's figures, or why there are none.

    Attributes
    ----------
    name : such as "svdb", or "mitdb-ds1"
    figures : as ``ecgstream evaluate --database`` gives them; None where the database is not there
    missing : why not, with the remedy
    """

    name: str
    figures: dict[str, Any] | None
    missing: str = ""


def evaluate_each(
    directory: Path, *, settings: DetectorSettings, rules: AlarmRules, track: Tracker
) -> Iterator[Evaluated]:
    """Evaluate one database after the other; of mitdb DS1 alone.

    Parameters
    ----------
    directory : the data directory, one folder a database
    settings, rules : models, and what alarms
    track : shows how far a database is
    """
    for database in DATABASES:
        judging = Judging(folder=directory / database, settings=settings, rules=rules)
        records = _RECORDS.get(database, "all")
        name = database if records == "all" else f"{database}-{records}"
        if not judging.folder.is_dir():
            yield Evaluated(name, None, f"it is not in {directory}: 'ecgstream data fetch {database}' brings it")
            continue
        try:
            if database in FORMS:
                count = len(list_records(judging.folder))
                with track(name, count) as done:
                    figures = evaluate_database(database, judging, done=done)
            else:
                figures = _by_beats(name, records, judging, track)
        except EcgStreamError as error:
            yield Evaluated(name, None, str(error))
        else:
            yield Evaluated(name, figures)


def _by_beats(name: str, records: str, judging: Judging, track: Tracker) -> dict[str, Any]:
    annotations, left_out = annotated_records(records, judging.folder)
    with track(name, len(annotations)) as done:
        judged = judge_offline(tuple(annotations), judging, done=done)
    tallies = tally_records(judged.verdicts, annotations, alerts=judged.alerts)
    evaluation = evaluate_tallies(tallies, thresholds=load_manifest(judging.settings.models).thresholds)
    counts = FindingCounts()
    for record, verdicts in judged.verdicts.items():
        reference = known_by_annotations(annotations[record], verdicts[0].fs_hz, span_s(verdicts[-1])[1])
        counts.note([*verdicts, *judged.urgent[record]], reference)
    return evaluation.model_dump(mode="json") | {"left_out": left_out, "findings": counts.figures()}
