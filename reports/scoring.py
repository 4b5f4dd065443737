"""Scoring files without a broker: the detector's verdicts on a recording, told in seconds of the file."""

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alerting.rules import AlarmRules
from bus.messages import Urgent, Verdict
from detector.offline import EPOCH_NS, Progress, judge_record, no_progress
from detector.scorer import Scorer
from detector.scoring_process import ScoringProcess
from ecg.errors import EcgStreamError
from ecg.npy_files import WindowSet
from ecg.records import Recording, exact_rate
from ecg.windows import HOP_S, WINDOW_S, Grid
from reports.aggregate import Aggregate, WindowFigures, aggregate_of_rows
from reports.opening import open_any
from reports.result import PATIENT, ResultBuilder, head_of, result_of, seconds

LONG_S = 1800.0  # from which a second process, which takes a second to start, is worth it
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class NotScoredError(EcgStreamError):
    """A file of which nothing can be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Findings of a recording.

    Attributes
    ----------
    recording : what was judged; of windows, all of them on one time axis
    verdicts : on its windows of 5 s, by its time axis
    result : as the JSON of ``ecgstream score`` has it
    """

    recording: Recording
    verdicts: tuple[Verdict, ...]
    result: dict[str, Any]


def score_file(
    path: Path,
    scorer: Scorer,
    rules: AlarmRules,
    *,
    name: str | None = None,
    fs_hz: float | None = None,
    leads: tuple[str, ...] | None = None,
    unit: str | None = None,
    progress: Progress = no_progress,
    side_by_side: bool = False,
) -> dict[str, Any]:
    """The result of one file, as the JSON of ``ecgstream score`` has it.

    Parameters
    ----------
    path : a file of any format that is read
    name : what whoever gave it calls it; the path by default
    fs_hz, leads, unit : see ``reports.opening.open_any``
    progress : is told how many samples are judged, and of how many
    side_by_side : whether a long recording may be scored in a process beside, which imports the program's main module

    Raises
    ------
    EcgStreamError : when the file cannot be read, or is shorter than one window
    """
    name = name or str(path)
    with errors_naming(name):
        recording = open_any(path, fs_hz=fs_hz, leads=leads, unit=unit)
        if isinstance(recording, WindowSet):
            return scored(recording, scorer, rules, file=name).result
        with ExitStack() as stack:
            beside = None
            long = recording.length >= LONG_S * recording.fs_hz
            if side_by_side and long and (os.cpu_count() or 1) > 1:
                beside = stack.enter_context(ScoringProcess(scorer)).score
            judged = judge_record(recording, scorer, patient=PATIENT, progress=progress, score=beside)
            return _checked(recording, result_of(recording, judged, rules, file=name))


@contextmanager
def errors_naming(name: str) -> Iterator[None]:
    """Turn whatever a stranger's file breaks into one error that names the file.

    Parameters
    ----------
    name : the file's, as whoever sent it knows it

    Raises
    ------
    EcgStreamError : when the block fails, but for a full disk
    """
    try:
        yield
    except EcgStreamError as error:
        file = Path(name)
        if any(known in str(error) for known in (file.name, f"{file.stem}.hea", f"record {file.stem}")):
            raise
        raise NotScoredError(f"{name}: {error}") from error
    except MemoryError as error:
        raise NotScoredError(f"{name} needs more memory than scoring may take: split it") from error
    except OSError as error:
        if error.errno in DISK_FULL:
            raise
        raise NotScoredError(f"{name} cannot be read ({error.strerror or type(error).__name__}): mend that") from error
    except Exception as error:  # readers raise many kinds on hostile files
        reason = f"{name} cannot be read ({type(error).__name__}): it is damaged, or of an unknown variety"
        raise NotScoredError(reason) from error


def scored(
    recording: Recording | WindowSet,
    scorer: Scorer,
    rules: AlarmRules,
    *,
    file: str,
    progress: Progress = no_progress,
) -> Scored:
    """Judge a recording as the stream would; windows of a set each on their own.

    Parameters
    ----------
    recording : what a file holds
    file : its name, for the result
    progress : is told how many samples are judged, and of how many

    Raises
    ------
    NotScoredError : when it is shorter than one window
    """
    if isinstance(recording, WindowSet):
        return _scored_set(recording, scorer, rules, file=file)
    verdicts: list[Verdict] = []

    def noted() -> Iterator[Verdict | Urgent]:
        for message in judge_record(recording, scorer, patient=PATIENT, progress=progress):
            if isinstance(message, Verdict):
                verdicts.append(message)
            yield message

    result = _checked(recording, result_of(recording, noted(), rules, file=file))
    return Scored(recording=recording, verdicts=tuple(verdicts), result=result)


def _checked(recording: Recording, result: dict[str, Any]) -> dict[str, Any]:
    """A result that has a window in it."""
    if not result["windows"]:
        raise NotScoredError(
            f"{Path(result['file']).name}: {recording.seconds:.3g} s is shorter than one window of {WINDOW_S} s: "
            f"give a longer recording, or correct the sampling rate if {recording.fs_hz:g} Hz is not its own"
        )
    return result


def _scored_set(windows: WindowSet, scorer: Scorer, rules: AlarmRules, *, file: str) -> Scored:
    """Each window as a recording of its own, told on the axis of all; ``row`` is its number in the file."""
    whole = head_of(windows.record, file) | {"windows": [], "beats": [], "findings": []}
    grid = Grid(exact_rate(windows.record.fs_hz))
    verdicts: list[Verdict] = []
    rows: list[dict[str, Any]] = []
    aggregates: list[Aggregate] = []
    figures: list[WindowFigures] = []
    for row, (start, record) in enumerate(windows.each()):
        start_ns = EPOCH_NS + grid.offset_ns(start)
        builder = ResultBuilder(rules)
        for message in judge_record(record, scorer, patient=PATIENT, start_ns=start_ns, hop_s=HOP_S):
            builder.take(message)
            if isinstance(message, Verdict):
                verdicts.append(_on_axis(message, row * windows.step_windows + message.window))
        figures += builder.figures
        found, aggregate = builder.result()
        for part, each in found.items():
            whole[part] += [{"row": row, **one} for one in each]
        start_s = seconds(start_ns)
        end_s = round(start_s + record.seconds, 3)
        rows.append({"row": row, "start_s": start_s, "end_s": end_s, **aggregate.as_json()})
        aggregates.append(aggregate)
    return Scored(
        recording=windows.record,
        verdicts=tuple(verdicts),
        result=whole | {"rows": rows, "aggregate": aggregate_of_rows(aggregates, figures).as_json()},
    )


def _on_axis(verdict: Verdict, window: int) -> Verdict:
    """A verdict of a window of a set, as one of the whole axis."""
    moved = {"id": f"{verdict.patient}/{EPOCH_NS}/{window}", "stream_start_ns": EPOCH_NS, "window": window}
    return verdict.model_copy(update=moved)
