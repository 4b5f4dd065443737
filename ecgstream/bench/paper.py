"""`ecgstream bench paper`: how well pictures of paper ECGs are read."""

import csv
import json
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from alerting.rules import AlarmRules
from detector.scorer import Scorer, scorer_of
from detector.settings import DetectorSettings
from ecg.errors import EcgStreamError
from ecg.formats import holds_picture
from ecg.records import Record
from ecgstream.bench.capacity import machine
from ecgstream.bench.paper_pages import AgedPage, pages
from ecgstream.bench.paper_score import (
    UNREADABLE_DB,
    LeadScore,
    beats_of,
    lead_at,
    matched_beats,
    score_page,
)
from ecgstream.bench.paper_without import pictures
from paper.pictures import open_picture
from paper.reading import FS_HZ, GAIN_ADC, NoEcgError, PageReading, read_page
from paper.rendering import DrawnPage, DrawnTrace, PageStyle
from reports.scoring import scored

_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024
_LEAST_JUDGED_S = 5.0


def bench_paper(
    folder: Path, settings: DetectorSettings, rules: AlarmRules, *, count: int, seed: int, without: int
) -> dict[str, Any]:
    """Draw pages, age every second one, read them all, and hold what was read against what was drawn.

    Pictures without an ECG are drawn as well, and counted where they are refused.

    Parameters
    ----------
    folder : of the records of MIT-BIH
    settings, rules : of the verdicts
    count : of pages
    seed : of the pages and pictures
    without : how many pictures hold no ECG
    """
    scorer = scorer_of(settings)
    tallies: dict[str, _Tally] = defaultdict(_Tally)
    for page in pages(folder, count=count, seed=seed):
        kind = "clean" if page.way == "clean" else "aged"
        began_s = time.perf_counter()
        reading = None
        with suppress(NoEcgError):
            reading = read_page(page.image)
        spent_s = time.perf_counter() - began_s
        for name in (kind, page.way) if kind == "aged" else (kind,):
            tallies[name].add(page, reading, spent_s)
        tallies[kind].judge(page, reading, scorer, rules)
    return {
        "pages": count,
        "seed": seed,
        **{kind: tallies[kind].report() for kind in ("clean", "aged") if kind in tallies},
        "without_ecg": _refused(without, seed),
        "ways": {way: tally.report() for way, tally in tallies.items() if way not in {"clean", "aged"}},
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_BYTES / 1e6, 1),
        "machine": machine(),
    }


def _refused(count: int, seed: int) -> dict[str, Any]:
    """Tell which pictures without an ECG were read all the same."""
    read = []
    for picture in pictures(count=count, seed=seed):
        with suppress(NoEcgError):
            read_page(picture.image)
            read.append(picture.name)
    return {"pictures": count, "refused": count - len(read), "read": read}


class _Tally:
    """Figures of pages of one kind."""

    def __init__(self) -> None:
        self.leads: list[LeadScore] = []
        self.pages: list[tuple[str, float]] = []
        self.seconds: list[float] = []
        self.unread = 0
        self.scale: list[tuple[float, float]] = []
        self.beats = [0, 0, 0]
        self.verdicts = [0, 0]

    def add(self, page: AgedPage, reading: PageReading | None, spent_s: float) -> None:
        """Count a page."""
        self.seconds.append(spent_s)
        if reading is None:
            self.unread += 1
            none = [
                LeadScore(lead=trace.lead, decibel=0.0, shift_s=0.0, named=False, said=True, gain=0.0)
                for trace in page.drawn.traces
            ]
            self.leads += none
            self.pages.append((page.name, 0.0))
            return
        scores = score_page(reading, page.drawn)
        self.leads += scores
        self.pages.append((page.name, round(float(np.median([each.decibel for each in scores])), 1)))
        style = page.drawn.style
        self.scale.append((_time_error(reading, page.drawn), abs(_gain_error(scores, reading, style))))

    def judge(self, page: AgedPage, reading: PageReading | None, scorer: Scorer, rules: AlarmRules) -> None:
        """Hold beats and verdict of the longest lead against those of its samples."""
        trace = max(page.drawn.traces, key=lambda each: len(each.samples_mv))
        true_s = beats_of(trace.samples_mv, page.drawn.fs_hz) / page.drawn.fs_hz
        lead = None
        if reading is not None:
            lead = lead_at(reading, trace)
        found_s = beats_of(lead.samples_mv, FS_HZ) / FS_HZ if lead is not None else np.zeros(0)
        self.beats[0] += matched_beats(np.asarray(found_s), np.asarray(true_s))
        self.beats[1] += len(true_s)
        self.beats[2] += len(found_s)
        if len(trace.samples_mv) / page.drawn.fs_hz >= _LEAST_JUDGED_S:
            own = _decision(trace.lead, trace.samples_mv, page.drawn.fs_hz, scorer, rules)
            read = None if lead is None else _decision(trace.lead, np.nan_to_num(lead.samples_mv), FS_HZ, scorer, rules)
            self.verdicts[0] += own == read
            self.verdicts[1] += 1

    def report(self) -> dict[str, Any]:
        """Return the figures."""
        decibel = np.array([each.decibel for each in self.leads])
        bad = [each for each in self.leads if each.decibel < UNREADABLE_DB]
        hits, true, found = self.beats
        worst = sorted(self.pages, key=lambda page: page[1])[:5]
        return {
            "pages": len(self.pages),
            "refused": self.unread,
            "leads": len(self.leads),
            "db_median": round(float(np.median(decibel)), 1),
            "db_worst_lead": round(float(decibel.min()), 1),
            "db_under_12": round(float((decibel < 12).mean()), 3),
            "unreadable": round(len(bad) / len(self.leads), 3),
            "unreadable_said": round(sum(each.said for each in bad) / len(bad), 3) if bad else None,
            "named": round(float(np.mean([each.named for each in self.leads])), 3),
            "time_error": round(float(np.median([each[0] for each in self.scale])), 4) if self.scale else None,
            "amplitude_error": round(float(np.median([each[1] for each in self.scale])), 4) if self.scale else None,
            "r_peaks": {"se": round(hits / true, 4), "ppv": round(hits / found, 4)} if true and found else None,
            "verdicts_equal": round(self.verdicts[0] / self.verdicts[1], 3) if self.verdicts[1] else None,
            "seconds": {"median": round(float(np.median(self.seconds)), 2), "max": round(max(self.seconds), 2)},
            "worst_pages": [{"page": name, "db_median": value} for name, value in worst],
        }


def _decision(lead: str, samples_mv: "np.ndarray", fs_hz: float, scorer: Scorer, rules: AlarmRules) -> str | None:
    units = np.clip(np.rint(samples_mv * GAIN_ADC), -32000, 32000).astype(np.int16)[:, None]
    record = Record(name="strip", fs_hz=fs_hz, leads=(lead,), gain=(GAIN_ADC,), baseline=(0,), samples=units)
    try:
        return str(scored(record, scorer, rules, file="strip").result["aggregate"]["decision"])
    except EcgStreamError:
        return None


def _time_error(reading: PageReading, drawn: DrawnPage) -> float:
    """Return how far the length of the longest row is off, as a share of it."""
    trace = max(drawn.traces, key=lambda each: len(each.samples_mv))
    same = [lead for lead in reading.leads if lead.cell.row == trace.row]
    if not same:
        return 1.0
    seconds = sum(len(lead.samples_mv) for lead in same) / FS_HZ
    true_s = sum(len(each.samples_mv) for each in drawn.traces if each.row == trace.row) / drawn.fs_hz
    return abs(seconds / true_s - 1)


def _gain_error(scores: list[LeadScore], reading: PageReading, style: PageStyle) -> float:
    if reading.mm_per_mv != style.mm_per_mv:
        return reading.mm_per_mv / style.mm_per_mv - 1
    good = [each.gain for each in scores if each.decibel > 6]
    return float(np.median(good)) - 1 if good else 1.0


def bench_pictures(folder: Path) -> dict[str, Any]:
    """Read the pictures of a folder; of those with their truth beside them (NAME.truth.csv) tell how well.

    Parameters
    ----------
    folder : with pictures
    """
    found: dict[str, Any] = {}
    medians = []
    for path in sorted(folder.iterdir()):
        if not path.is_file() or not holds_picture(path):
            continue
        began_s = time.perf_counter()
        try:
            reading = read_page(open_picture(path)[0])
        except EcgStreamError as error:
            found[path.name] = {"refused": str(error), "seconds": round(time.perf_counter() - began_s, 2)}
            continue
        one: dict[str, Any] = {
            "layout": reading.layout,
            "mm_per_s": reading.mm_per_s,
            "mm_per_mv": reading.mm_per_mv,
            "leads": [lead.cell.lead for lead in reading.leads],
            "sources": reading.sources,
            "seconds": round(time.perf_counter() - began_s, 2),
        }
        truth = path.with_suffix(".truth.csv")
        if truth.is_file():
            scores = score_page(reading, _truth(truth, json.loads(path.with_suffix(".truth.json").read_text())))
            one["db"] = [round(each.decibel, 1) for each in scores]
            one["named"] = round(float(np.mean([each.named for each in scores])), 3)
            one["db_median"] = round(float(np.median(one["db"])), 1)
            medians.append(one["db_median"])
        found[path.name] = one
    return {"pictures": found, "db_median": round(float(np.median(medians)), 1) if medians else None}


def _truth(path: Path, facts: dict[str, Any]) -> DrawnPage:
    """The truth of a picture as that of a drawn page, at 500 Hz."""
    by_trace: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    with path.open(encoding="utf-8") as file:
        for line in csv.DictReader(file):
            by_trace[line["lead"], int(line["row"])].append((float(line["t_s"]), float(line["mv"])))
    # Rows of one lead that goes on follow each other in time; columns begin later in their row.
    return DrawnPage(
        image=np.zeros((1, 1, 3), np.uint8),
        traces=tuple(_even(lead, row, points) for (lead, row), points in by_trace.items()),
        fs_hz=FS_HZ,
        style=PageStyle(mm_per_s=facts["mm_per_s"], mm_per_mv=facts["mm_per_mV"]),
    )


def _even(lead: str, row: int, points: Iterable[tuple[float, float]]) -> DrawnTrace:
    at_s, mv = np.array(sorted(points)).T
    grid_s = np.arange(at_s[0], at_s[-1], 1 / FS_HZ)
    samples = np.interp(grid_s, at_s, mv)
    nowhere = np.full(len(samples), -1.0)
    return DrawnTrace(lead=lead, row=row, start_s=float(at_s[0]), samples_mv=samples, x_px=nowhere, y_px=nowhere)
