"""A kept recording, with its findings, as reports and strips want it."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecg.labels import BeatLabels
from ecg.records import Record
from reports.record_strips import Findings
from reports.recording import findings_in
from web.scoring.kept import RESULT, SAMPLES, STORED_VERDICTS, VERDICTS, read_header, read_questionnaire
from web.scoring.questionnaire import Questionnaire


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A recording read back."""

    record: Record
    found: Findings
    questionnaire: Questionnaire | None


def read_kept(folder: Path) -> Kept:
    """All of it."""
    header = read_header(folder)
    record = Record(
        name=header.name,
        fs_hz=header.fs_hz,
        leads=header.leads,
        samples=np.load(folder / SAMPLES, allow_pickle=False),
        gain=header.gain,
        baseline=header.baseline,
    )
    reference = None
    if header.annotated is not None:
        reference = BeatLabels(
            sample=np.array([at for at, _ in header.annotated], np.int64),
            aami=np.array([letter for _, letter in header.annotated], np.str_),
        )
    verdicts = tuple(STORED_VERDICTS.validate_json((folder / VERDICTS).read_bytes()))
    found = findings_in(json.loads((folder / RESULT).read_bytes()), verdicts, reference)
    return Kept(record=record, found=found, questionnaire=read_questionnaire(folder))
