"""Evaluation on databases that have no annotated beats: rhythm marks, alarms, strips of one class."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bus.messages import Urgent, Verdict
from detector.offline import EPOCH_NS, verdicts_in
from ecg.annotations import read_annotations
from ecg.wfdb_files import list_records, load_record
from ecgstream.evaluation import Judging, Progress, alerts_of, judged_each, judged_here
from training.databases import challenge2015, challenge2017, vfdb
from training.databases.challenge2015 import ALARM_AT_S, MonitorAlarm, read_alarms
from training.databases.challenge2017 import StripClass, read_classes
from training.metrics import ratio
from training.monitor_alarms import alarm_figures, confirms
from training.rhythm_episodes import EpisodeTally, episode_figures, raised_alarms, tally_episodes
from training.strips import class_of, strip_figures

Judged = tuple[list[Verdict | Urgent], float, float]  # what was told of a record, its length in s, its rate in Hz


def _judge(name: str, folder: Path, until_s: float | None) -> Judged:
    record = load_record(name, folder)
    if until_s is not None:
        record = replace(record, samples=record.samples[: round(until_s * record.fs_hz)])
    return judged_here(record), record.seconds, record.fs_hz


def _judged(
    names: Sequence[str], judging: Judging, done: Progress, *, until_s: float | None = None
) -> Iterator[tuple[str, Judged]]:
    """Records as they are judged; nothing behind ``until_s`` is looked at."""
    found = judged_each(judging.settings, _judge, names, [judging.folder] * len(names), [until_s] * len(names))
    for name, judged in zip(names, found, strict=True):
        yield name, judged
        done(1)


@dataclass(slots=True)
class _Windows:
    """Windows of some records: how many, and how many of them could not be judged."""

    count: int = 0
    unusable: int = 0

    def add(self, published: Sequence[Verdict | Urgent]) -> None:
        """Count those of a record."""
        verdicts = verdicts_in(published)
        self.count += len(verdicts)
        self.unusable += sum(verdict.decision == "unusable" for verdict in verdicts)

    def figures(self) -> dict[str, Any]:
        """The figures that stand beside all others."""
        return {"windows": self.count, "unusable_share": ratio(self.unusable, self.count)}


def evaluate_episodes(judging: Judging, *, done: Progress) -> dict[str, Any]:
    """Lethal episodes of a database of rhythm marks, and false lethal alarms."""
    tallies: dict[str, EpisodeTally] = {}
    windows = _Windows()
    for name, (published, seconds, fs_hz) in _judged(list_records(judging.folder), judging, done):
        windows.add(published)
        raised = raised_alarms(alerts_of(published, judging.rules), EPOCH_NS)
        annotations = read_annotations(judging.folder / name)
        tallies[name] = tally_episodes(raised, annotations, fs_hz, seconds=seconds)
    return windows.figures() | episode_figures(tallies)


def evaluate_alarms(judging: Judging, *, done: Progress) -> dict[str, Any]:
    """Alarms of bedside monitors, told true from false."""
    alarms = {alarm.record: alarm for alarm in read_alarms(judging.folder)}
    names = [name for name in list_records(judging.folder) if name in alarms]
    confirmed: dict[MonitorAlarm, bool] = {}
    windows = _Windows()
    for name, (published, seconds, _) in _judged(names, judging, done, until_s=ALARM_AT_S):
        windows.add(published)
        confirmed[alarms[name]] = confirms(published, alarms[name], end_ns=EPOCH_NS + round(seconds * 1e9))
    return windows.figures() | alarm_figures(confirmed)


def evaluate_strips(judging: Judging, *, done: Progress) -> dict[str, Any]:
    """Strips of one class each."""
    classes = read_classes(judging.folder)
    names = [name for name in list_records(judging.folder) if name in classes]
    called: dict[str, StripClass] = {}
    windows = _Windows()
    for name, (published, _, _) in _judged(names, judging, done):
        windows.add(published)
        called[name] = class_of(published)
    return windows.figures() | strip_figures(classes, called)


FORMS: dict[str, Callable[..., dict[str, Any]]] = {
    vfdb.DATABASE.name: evaluate_episodes,
    challenge2015.DATABASE.name: evaluate_alarms,
    challenge2017.DATABASE.name: evaluate_strips,
}


def evaluate_database(name: str, judging: Judging, *, done: Progress) -> dict[str, Any]:
    """The figures of a database by its own form.

    Parameters
    ----------
    name : of ``FORMS``
    judging : models, rules, and the database's folder
    done : is told of every record that is done

    Raises
    ------
    EcgStreamError : when the database is not there
    """
    return FORMS[name](judging, done=done)
