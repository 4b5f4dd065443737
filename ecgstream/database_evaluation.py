"""Evaluation on databases that have no annotated beats: rhythm marks, alarms, strips of one class."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bus.messages import Urgent, Verdict
from detector.offline import EPOCH_NS, verdicts_in
from ecg.annotations import read_annotations
from ecg.urgency import PROMPT, AlarmPriority
from ecg.wfdb_files import list_records, load_record
from ecgstream.evaluation import Judging, Progress, alerts_of, judged_each, judged_here
from training.alarm_rates import AlarmRates, rate_figures, together
from training.databases import challenge2015, challenge2017, vfdb
from training.databases.challenge2015 import ALARM_AT_S, read_alarms
from training.databases.challenge2017 import StripClass, read_classes
from training.figure_intervals import figure_intervals
from training.finding_counts import FindingCounts, known_by_alarm, known_by_annotations, known_by_strip
from training.metrics import ratio
from training.monitor_alarms import alarm_figures, confirms
from training.rhythm_episodes import EpisodeTally, episode_figures, raised_alarms, tally_episodes
from training.strips import class_of, strip_figures

# What the Challenge's alarms are in the rules' priorities: those of rates are the extremes.
_MONITORS_PRIORITY: dict[str, AlarmPriority] = {
    "Asystole": "high",
    "Bradycardia": "medium",
    "Tachycardia": "medium",
    "Ventricular_Flutter_Fib": "high",
    "Ventricular_Tachycardia": "high",
}
_WITHOUT = {"hours", "per_record", "confusion"}  # no figures, or counts alone

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


def evaluate_episodes(judging: Judging, *, done: Progress) -> dict[str, Any]:
    """Lethal episodes of a database of rhythm marks, and false lethal alarms."""
    tallies: dict[str, EpisodeTally] = {}
    rates: dict[str, AlarmRates] = {}
    counts = FindingCounts()
    for name, (published, seconds, fs_hz) in _judged(list_records(judging.folder), judging, done):
        alerts = alerts_of(published, judging.rules)
        annotations = read_annotations(judging.folder / name)
        counts.note(published, known_by_annotations(annotations, fs_hz, seconds))
        tally = tallies[name] = tally_episodes(raised_alarms(alerts, EPOCH_NS), annotations, fs_hz, seconds=seconds)
        # Alarms of high priority are the lethal ones; rhythm marks tell of no others.
        false: dict[AlarmPriority, int] = {"high": sum(tally.false.values())}
        rates[name] = AlarmRates.of(alerts, verdicts_in(published), hours=seconds / 3600, false=false)

    def figures(names: Sequence[str]) -> dict[str, Any]:
        found = episode_figures({f"{at} {name}": tallies[name] for at, name in enumerate(names)})
        for of_kind in found["episodes"].values():
            of_kind["share"] = ratio(of_kind["found"], of_kind["n"])
        return found | rate_figures(together(rates[name] for name in names))

    names = tuple(tallies)
    return {
        **figures(names),
        "per_record": episode_figures(tallies)["per_record"],
        "findings": counts.figures(),
        **_spread(figures, names),
    }


def evaluate_alarms(judging: Judging, *, done: Progress) -> dict[str, Any]:
    """Alarms of bedside monitors, told true from false."""
    alarms = {alarm.record: alarm for alarm in read_alarms(judging.folder)}
    names = [name for name in list_records(judging.folder) if name in alarms]
    confirmed: dict[str, bool] = {}
    rates: dict[str, AlarmRates] = {}
    counts = FindingCounts()
    for name, (published, seconds, _) in _judged(names, judging, done, until_s=ALARM_AT_S):
        alarm = alarms[name]
        counts.note(published, known_by_alarm(alarm))
        confirmed[name] = confirms(published, alarm, end_ns=EPOCH_NS + round(seconds * 1e9))
        # Of the monitor's alarm alone it is known whether it was false.
        false = dict.fromkeys(PROMPT, 0) | {_MONITORS_PRIORITY[alarm.kind]: int(confirmed[name] and not alarm.true)}
        alerts = alerts_of(published, judging.rules)
        rates[name] = AlarmRates.of(alerts, verdicts_in(published), hours=seconds / 3600, false=false)

    def figures(names: Sequence[str]) -> dict[str, Any]:
        drawn = {replace(alarms[name], record=f"{at} {name}"): confirmed[name] for at, name in enumerate(names)}
        return alarm_figures(drawn) | rate_figures(together(rates[name] for name in names))

    return {**figures(names), "findings": counts.figures(), **_spread(figures, names)}


def evaluate_strips(judging: Judging, *, done: Progress) -> dict[str, Any]:
    """Strips of one class each."""
    classes = read_classes(judging.folder)
    names = [name for name in list_records(judging.folder) if name in classes]
    called: dict[str, StripClass] = {}
    rates: dict[str, AlarmRates] = {}
    counts = FindingCounts()
    for name, (published, seconds, _) in _judged(names, judging, done):
        called[name] = class_of(published)
        counts.note(published, known_by_strip(classes[name]))
        alerts, normal = alerts_of(published, judging.rules), classes[name] == "N"
        rates[name] = AlarmRates.of(alerts, verdicts_in(published), hours=seconds / 3600, all_false=normal)

    def figures(names: Sequence[str]) -> dict[str, Any]:
        drawn = {f"{at} {name}": name for at, name in enumerate(names)}
        found = strip_figures(
            {each: classes[name] for each, name in drawn.items()}, {each: called[name] for each, name in drawn.items()}
        )
        return found | rate_figures(together(rates[name] for name in names))

    return {**figures(names), "findings": counts.figures(), **_spread(figures, names)}


def _spread(figures: Callable[[Sequence[str]], dict[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Intervals over patients; where nobody says who is who, each recording counts as a patient of its own."""
    drawn = figure_intervals(figures, names)
    return {"patients": len(names), "intervals": {name: of for name, of in drawn.items() if name not in _WITHOUT}}


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
