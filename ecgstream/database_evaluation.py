"""Evaluation on databases that have no annotated beats: rhythm marks, alarms, strips of one class."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bus.messages import Urgent, Verdict
from detector.offline import EPOCH_NS
from ecg.annotations import read_annotations
from ecg.wfdb_files import list_records, load_record
from ecgstream.evaluation import Judging, Progress, alerts_of, judged_each, judged_here
from training.databases import challenge2015, challenge2017, vfdb
from training.databases.challenge2015 import MonitorAlarm, read_alarms
from training.databases.challenge2017 import StripClass, read_classes
from training.monitor_alarms import alarm_figures, confirms
from training.rhythm_episodes import EpisodeTally, episode_figures, raised_alarms, tally_episodes
from training.strips import class_of, strip_figures

Judged = tuple[list[Verdict | Urgent], float, float]  # what was told of a record, its length in s, its rate in Hz


def _judge(name: str, folder: Path) -> Judged:
    record = load_record(name, folder)
    return judged_here(record), record.seconds, record.fs_hz


def evaluate_episodes(judging: Judging, *, done: Progress) -> dict[str, Any]:
    """Lethal episodes of a database of rhythm marks, and false lethal alarms."""
    tallies: dict[str, EpisodeTally] = {}
    names = list_records(judging.folder)
    found = judged_each(judging.settings, _judge, names, [judging.folder] * len(names))
    for name, (published, seconds, fs_hz) in zip(names, found, strict=True):
        raised = raised_alarms(alerts_of(published, judging.rules), EPOCH_NS)
        annotations = read_annotations(judging.folder / name)
        tallies[name] = tally_episodes(raised, annotations, fs_hz, seconds=seconds)
        done(1)
    return episode_figures(tallies)


def evaluate_alarms(judging: Judging, *, done: Progress) -> dict[str, Any]:
    """Alarms of bedside monitors, told true from false."""
    alarms = {alarm.record: alarm for alarm in read_alarms(judging.folder)}
    names = [name for name in list_records(judging.folder) if name in alarms]
    confirmed: dict[MonitorAlarm, bool] = {}
    found = judged_each(judging.settings, _judge, names, [judging.folder] * len(names))
    for name, (published, seconds, _) in zip(names, found, strict=True):
        confirmed[alarms[name]] = confirms(published, alarms[name], end_ns=EPOCH_NS + round(seconds * 1e9))
        done(1)
    return alarm_figures(confirmed)


def evaluate_strips(judging: Judging, *, done: Progress) -> dict[str, Any]:
    """Strips of one class each."""
    classes = read_classes(judging.folder)
    names = [name for name in list_records(judging.folder) if name in classes]
    called: dict[str, StripClass] = {}
    found = judged_each(judging.settings, _judge, names, [judging.folder] * len(names))
    for name, (published, _, _) in zip(names, found, strict=True):
        called[name] = class_of(published)
        done(1)
    return strip_figures(classes, called)


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
