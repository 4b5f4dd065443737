"""The part of the job that all peers share: what a window is, and how the product's models judge it.

No peer has more of the product than this: chunks are decoded by its contract, and windows are judged by its models in
its preprocessing. Where messages come from, where the newest signal of a patient is kept, what is batched, committed
and recovered is each peer's own. Left out, of what the product does: rapid checks of every second, the personal
baseline, rhythm, reasons, dead letters, out-of-order chunks, several streams of a patient.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import exp
from pathlib import Path

import numpy as np

from bus.samples import Chunk, decode
from bus.topics import SAMPLES, WINDOWS
from detector.due import DueWindow, StreamId
from detector.score import Score
from detector.scorer import Scorer
from detector.weighing import LIMIT
from ecg.leads import choose_leads
from ecg.records import MISSING, Int16Array, exact_rate
from ecg.second_filter import FilteredSignal, RawPart, layout_of, take_steps
from ecg.segments import SEGMENT_S, segment_samples
from ecg.windows import HOP_S, WINDOW_S, Grid
from models import SHIPPED

BOOTSTRAP_SERVERS = os.environ.get("PEER_BOOTSTRAP_SERVERS", "127.0.0.1:9092")
FOLDER = Path(os.environ.get("PEER_FOLDER", "."))  # of its own on a disk that a crash leaves alone
INPUT_TOPIC, OUTPUT_TOPIC = SAMPLES, WINDOWS

__all__ = ["BOOTSTRAP_SERVERS", "FOLDER", "INPUT_TOPIC", "OUTPUT_TOPIC", "Chunk", "Due", "Judge", "Recent", "decode"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A window that is due.

    Attributes
    ----------
    window : the window with the signal before it
    ingest_ms : timestamp of the message that completed it, ms UTC
    """

    window: DueWindow
    ingest_ms: int


@dataclass(slots=True)
class Recent:
    """The newest signal of one patient that a window needs (``SEGMENT_S``), as one array.

    Attributes
    ----------
    first : index of its first sample in the patient's stream
    samples : (n, leads) int16, ``MISSING`` where nothing was received
    """

    first: int = 0
    samples: Int16Array = field(default_factory=lambda: np.empty((0, 0), np.int16))

    def add(self, chunk: Chunk, ingest_ms: int) -> list[Due]:
        """Take a patient's next chunk, and return the windows that it completes."""
        first = needed_from(chunk)
        samples = np.full((chunk.end_index - first, len(chunk.leads)), MISSING, np.int16)
        known = self.samples[max(0, first - self.first) :]
        place = max(0, self.first - first)
        if samples.shape[1] == known.shape[1]:
            samples[place : place + len(known)] = known[: len(samples) - place]
        samples[chunk.start_index - first :] = chunk.samples
        self.first, self.samples = first, samples
        return due_with(chunk, (replace(chunk, start_index=first, samples=samples),), ingest_ms)


def needed_from(chunk: Chunk) -> int:
    """Index of the oldest sample that a window may need that ends in a chunk or behind it."""
    return chunk.start_index - segment_samples(chunk.fs_hz)


def due_with(chunk: Chunk, chunks: Iterable[Chunk], ingest_ms: int) -> list[Due]:
    """Return the windows that a chunk completes.

    Parameters
    ----------
    chunk : the newest one
    chunks : those that a window needs, the newest one among them; asked for only where a window is complete
    ingest_ms : timestamp of the message that the newest one came in, ms UTC
    """
    completed = list(windows_completed(chunk))
    if not completed:
        return []
    held = tuple(chunks)
    return [Due(window=_due_window(held, chunk, number), ingest_ms=ingest_ms) for number in completed]


def windows_completed(chunk: Chunk) -> Iterator[int]:
    """Numbers of the windows whose last sample a chunk holds."""
    grid = _grid(chunk.fs_hz)
    window = grid.window_of(chunk.start_index)
    while grid.end(window) <= chunk.end_index:
        yield window
        window += 1


class Judge:
    """The product's models over windows."""

    def __init__(self) -> None:
        self._scorer = Scorer(SHIPPED)
        self._filter = _Filter(self._scorer.preprocessing.mains_hz)

    def verdicts(self, due: Sequence[Due]) -> list[bytes]:
        """Judge windows in one call, and return the message on each."""
        return [json.dumps(fields).encode() for fields in self.fields(due)]

    def fields(self, due: Sequence[Due]) -> list[dict[str, object]]:
        """Judge windows in one call, and return the fields of the message on each."""
        scores = self.score_segments([each.window for each in due])
        return [self._fields(each, score) for each, score in zip(due, scores, strict=True)]

    def score_segments(self, windows: Sequence[DueWindow]) -> list[Score]:
        """Judge windows as the product does: the one place that depends on how it prepares them."""
        return self._scorer.score(windows, self._filter.signals(windows))

    def _fields(self, due: Due, score: Score) -> dict[str, object]:
        window, manifest = due.window, self._scorer.manifest
        cnn = None
        decision = "unusable"
        if score.logit is not None:
            odds = manifest.calibration.cnn_slope * score.logit + manifest.calibration.cnn_bias
            cnn = 1 / (1 + exp(-min(max(odds, -LIMIT), LIMIT)))
            decision = "abnormal" if cnn >= manifest.thresholds.cnn else "normal"
        return {
            "id": window.id,
            "patient": window.stream.patient,
            "window": window.window,
            "start_ns": window.start_ns,
            "end_ns": window.end_ns,
            "decision": decision,
            "cnn": cnn,
            "autoencoder_error": None if score.log_error is None else exp(score.log_error),
            "heart_rate_bpm": score.heart_rate_bpm,
            "lead": score.lead,
            "ingest_ms": due.ingest_ms,
        }


class _Filter:
    """The product's filter: each second of a patient once while memory holds what was, else the segment from its start.

    Both give the same numbers, so nothing is lost with it.
    """

    def __init__(self, mains_hz: float | None) -> None:
        self._mains_hz = mains_hz
        self._before: dict[str, tuple[int, FilteredSignal]] = {}  # of a patient: up to which second, and the signal

    def signals(self, windows: Sequence[DueWindow]) -> list[FilteredSignal]:
        """Return the signal of each window; those of one patient come in their order."""
        found: dict[int, FilteredSignal] = {}
        waiting = list(enumerate(windows))
        while waiting:
            first = {window.stream.patient: number for number, window in reversed(waiting)}
            groups: dict[tuple[float, int, int, int], list[int]] = defaultdict(list)
            for number in first.values():
                window = windows[number]
                goes_on = self._before.get(window.stream.patient, (None,))[0] == window.second - WINDOW_S
                phase = window.second % exact_rate(window.source.fs_hz).denominator
                steps = WINDOW_S if goes_on else SEGMENT_S - 2
                groups[window.source.fs_hz, len(window.columns), steps, phase].append(number)
            for (_, _, steps, _), numbers in groups.items():
                found |= zip(numbers, self._stepped([windows[number] for number in numbers], steps), strict=True)
            taken = set(first.values())
            waiting = [each for each in waiting if each[0] not in taken]
        return [found[number] for number in range(len(windows))]

    def _stepped(self, windows: Sequence[DueWindow], steps: int) -> list[FilteredSignal]:
        """Filter the newest seconds of windows of one kind, all at once."""
        second, rate = windows[0].second, exact_rate(windows[0].source.fs_hz)
        grid = Grid(rate)
        raw = np.stack([window.segment for window in windows]).transpose(0, 2, 1)
        scales = [[(w.source.gain[c], w.source.baseline[c]) for c in w.columns] for w in windows]
        gain, baseline = np.moveaxis(np.array(scales, np.float32), 2, 0)
        millivolts = (raw.astype(np.float32, order="C") - baseline[:, :, None]) / gain[:, :, None]
        parts = []
        for step in range(second - steps + 1, second + 1):
            layout = layout_of(rate, step % rate.denominator)
            end = raw.shape[2] - (grid.second(second) - grid.second(step))
            place = slice(end - layout.count, end)
            missing = raw[:, :, place] == MISSING
            parts.append(RawPart(millivolts=millivolts[:, :, place].copy(), missing=missing, layout=layout))
        nothing = second, FilteredSignal.before(raw.shape[1])
        known = self._before if steps == WINDOW_S else {}
        before = [known.get(window.stream.patient, nothing)[1] for window in windows]
        after = [each[-1].kept() for each in take_steps(before, parts, rate=rate, mains_hz=self._mains_hz)]
        for window, signal in zip(windows, after, strict=True):
            self._before[window.stream.patient] = window.second, signal
        return after


@lru_cache
def _grid(fs_hz: float) -> Grid:
    return Grid(exact_rate(fs_hz))


def _due_window(chunks: Sequence[Chunk], chunk: Chunk, number: int) -> DueWindow:
    """Cut a window with the signal before it out of chunks; what they do not hold is ``MISSING``."""
    grid, columns = _grid(chunk.fs_hz), choose_leads(chunk.leads)
    length = segment_samples(chunk.fs_hz)
    first = grid.end(number) - length
    segment = np.full((length, len(columns)), MISSING, np.int16)
    for each in chunks:
        start, end = max(each.start_index, first), min(each.end_index, first + length)
        if start < end:
            samples = each.samples[start - each.start_index : end - each.start_index]
            segment[start - first : end - first] = samples[:, columns]
    base_ns = chunk.base_ns
    return DueWindow(
        stream=StreamId(chunk.patient, base_ns, 0),
        source=chunk.source,
        window=number,
        start_ns=base_ns + grid.offset_ns(grid.start(number)),
        new_from_ns=base_ns + grid.offset_ns(grid.new_from(number)),
        end_ns=base_ns + grid.offset_ns(grid.end(number)),
        hop_s=HOP_S,
        columns=columns,
        segment=segment,
        second=grid.end_second(number),
        filtered_to=None,
        gap_before_s=0.0,
        missing_samples=0,
        duplicate_samples=0,
        clock_jump_ns=0,
        clock_jumps_abs_ns=0,
        offset=0,
    )
