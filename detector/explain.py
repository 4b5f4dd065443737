"""Explanations: the part of a lead that carried a verdict.

By occlusion, for reports: each part is taken away in turn, and what the scores lose by it is what it carried. What
every verdict of the stream says of its parts is cheaper: ``detector.window_parts``.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detector.scorer import log_of, open_networks
from detector.window_parts import PART_SAMPLES, PARTS
from ecg.leads import choose_leads
from ecg.records import MISSING, Float32Array, Int16Array, Record, exact_rate
from ecg.segments import MODEL_SAMPLES, WINDOW_SAMPLES, Preprocessing, prepare_segments, segment_samples
from ecg.windows import Grid

MARGIN = 5  # samples more on either side of a part, so that a QRS on its border does not survive in halves


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Losses of a window's scores when parts of its leads are taken away.

    What the rhythm before the window brings into the fused score is not touched: no part of the window carried it.

    Attributes
    ----------
    start_s : where the window begins, s from the recording's start
    leads, columns : the leads that the networks saw, the judged one first: their names, their columns in the record
    logit : the CNN's output for the whole window
    logit_fall : (PARTS, leads) float64, by how much it falls without that part of that lead
    fused_fall : (PARTS, leads) float64, the same for the fused log odds, through both networks' outputs
    part_fall : (PARTS,) float64, by how much the fused log odds fall without that part of all leads
    """

    start_s: float
    leads: tuple[str, ...]
    columns: tuple[int, ...]
    logit: float
    logit_fall: npt.NDArray[np.float64]
    fused_fall: npt.NDArray[np.float64]
    part_fall: npt.NDArray[np.float64]

    @property
    def carried(self) -> npt.NDArray[np.float64]:
        """(PARTS, leads) what each part of each lead carried, log odds, 0 or more.

        Where is told by taking a part of all leads: the networks see a beat on either. On which lead is told by the
        shares of the falls when it is taken of one.
        """
        single = np.maximum(self.fused_fall, 0)
        total = single.sum(axis=1, keepdims=True)
        share = np.where(total > 0, single / np.where(total > 0, total, 1), 1 / len(self.leads))
        return np.asarray(np.maximum(self.part_fall, 0)[:, np.newaxis] * share, np.float64)

    @property
    def strongest_part(self) -> int:
        """The part without which the fused score falls the most."""
        return int(self.part_fall.argmax())


class Explainer:
    """Both networks, to be asked again and again about one window.

    Parameters
    ----------
    directory : where the ONNX files and their manifest lie
    preprocessing : as the scorer's, whose verdicts are to be explained
    threads : threads of one inference

    Raises
    ------
    ModelError : when a model's hash, shape or preprocessing does not fit
    """

    def __init__(self, directory: Path, *, preprocessing: Preprocessing | None = None, threads: int = 1) -> None:
        self.manifest, self._networks = open_networks(directory, threads)
        self._preprocessing = preprocessing or Preprocessing()

    def explain(self, record: Record, window: int) -> Explanation | None:
        """Explain the verdict on a window of a recording; None where no lead can be judged.

        Parameters
        ----------
        record : the recording
        window : the window's number on the recording's grid
        """
        columns = choose_leads(record.leads)
        grid = Grid(exact_rate(record.fs_hz))
        prepared = prepare_segments(
            _segment(record, grid.end(window), columns)[np.newaxis],
            fs_hz=record.fs_hz,
            gain=[record.gain[column] for column in columns],
            baseline=[record.baseline[column] for column in columns],
            settings=self._preprocessing,
        )
        judged = int(prepared.judged[0])
        if judged < 0:
            return None
        whole = prepared.inputs[0]
        seen = [columns[judged], *(column for column in columns if column != columns[judged])]
        rows = [row for row in range(len(seen)) if whole[row].any()]
        logits, fused = self._run(np.concatenate([whole[np.newaxis], occluded(whole, rows)]))
        logit_fall, fused_fall = ((values[0] - values[1:]).reshape(-1, PARTS).T for values in (logits, fused))
        return Explanation(
            start_s=grid.start(window) / record.fs_hz,
            leads=tuple(record.leads[seen[row]] for row in rows),
            columns=tuple(seen[row] for row in rows),
            logit=float(logits[0]),
            logit_fall=logit_fall[:, :-1],
            fused_fall=fused_fall[:, :-1],
            part_fall=fused_fall[:, -1],
        )

    def _run(self, inputs: Float32Array) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """(N,) the CNN's logits, and what the networks bring into the fused log odds, but for a constant."""
        found = self._networks.run(inputs)
        wide = found.logits.astype(np.float64)
        log_errors = np.zeros_like(wide) if found.errors is None else log_of(found.errors)
        by = self.manifest.calibration
        return wide, by.fused_cnn * by.cnn_slope * wide + by.fused_autoencoder * by.autoencoder_slope * log_errors


def occluded(whole: Float32Array, rows: list[int]) -> Float32Array:
    """One window's input with each part of each lead taken away, then each part of all leads.

    A part is replaced by the straight line between its ends: a baseline without a beat, and without a step, which
    would look like one.

    Parameters
    ----------
    whole : (leads, MODEL_SAMPLES) float32
    rows : the leads to take parts of

    Returns
    -------
    ((len(rows) + 1) * PARTS, leads, MODEL_SAMPLES) float32: all parts of the first lead, of the next, of all leads
    """
    groups = [[row] for row in rows] + [rows]
    without = np.repeat(whole[np.newaxis], len(groups) * PARTS, axis=0)
    for number in range(PARTS):
        start = MODEL_SAMPLES - WINDOW_SAMPLES + number * PART_SAMPLES - MARGIN
        end = min(start + PART_SAMPLES + 2 * MARGIN, MODEL_SAMPLES) - 1
        line = np.linspace(whole[:, start], whole[:, end], end - start + 1, axis=1, dtype=np.float32)
        for place, group in enumerate(groups):
            for row in group:
                without[place * PARTS + number, row, start : end + 1] = line[row]
    return without


def _segment(record: Record, end: int, columns: tuple[int, ...]) -> Int16Array:
    """The samples before ``end`` as the stream would hold them; ``MISSING`` before the recording's start."""
    length = segment_samples(record.fs_hz)
    segment = np.full((length, len(columns)), MISSING, np.int16)
    start = max(0, end - length)
    segment[length - (end - start) :] = record.samples[start:end, columns]
    return segment
