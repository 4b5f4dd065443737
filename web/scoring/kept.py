"""One recording as it is kept: a folder with its samples, its verdicts, its result, and what was told of the person."""

from pathlib import Path
from typing import cast

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter

from bus.messages import Decision, Verdict
from ecg.labels import BeatLabels
from ecg.records import Int16Array, Recording
from reports.scoring import Scored
from web.scoring.answers import ScoreResult
from web.scoring.questionnaire import Questionnaire

ABOUT, RESULT, RECORD, QUESTIONNAIRE = "about.json", "result.json", "record.json", "questionnaire.json"
SAMPLES, VERDICTS = "samples.npy", "verdicts.json"
PIECE = 1_000_000  # samples of each lead that are copied at once
STORED_VERDICTS: TypeAdapter[list[Verdict]] = TypeAdapter(list[Verdict])


class About(BaseModel):
    """Entry in a list of recordings.

    Attributes
    ----------
    id : the folder's name, which nobody can guess
    created_ns : when it was scored, ns UTC by the wall clock
    decision : of the whole
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    owner: str
    name: str
    created_ns: int
    seconds: float
    decision: Decision


class Header(BaseModel):
    """Meaning of the samples: see ``ecg.records.Record``; annotated beats where the sender sent them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    fs_hz: float
    leads: tuple[str, ...]
    gain: tuple[float, ...]
    baseline: tuple[int, ...]
    annotated: tuple[tuple[int, str], ...] | None = None


def keep(
    folder: Path,
    found: Scored,
    *,
    about: About,
    result: ScoreResult,
    reference: BeatLabels | None,
    questionnaire: Questionnaire | None,
) -> None:
    """Write a recording to a new folder."""
    folder.mkdir()
    recording = found.recording
    header = Header(
        name=recording.name,
        fs_hz=recording.fs_hz,
        leads=recording.leads,
        gain=recording.gain,
        baseline=recording.baseline,
        annotated=None
        if reference is None
        else tuple(zip(reference.sample.tolist(), map(str, reference.aami.tolist()), strict=True)),
    )
    _save_samples(folder / SAMPLES, recording)
    (folder / RECORD).write_text(header.model_dump_json(), encoding="utf-8")
    (folder / VERDICTS).write_bytes(STORED_VERDICTS.dump_json(list(found.verdicts)))
    (folder / RESULT).write_text(result.model_dump_json(exclude_unset=True), encoding="utf-8")
    (folder / ABOUT).write_text(about.model_dump_json(), encoding="utf-8")
    if questionnaire is not None:
        write_questionnaire(folder, questionnaire)


def _save_samples(path: Path, recording: Recording) -> None:
    """Write the samples as ``numpy.save`` does, a piece at a time."""
    shape = (recording.length, len(recording.leads))
    with path.open("wb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.int16)), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for piece in recording.pieces(PIECE):
            file.write(piece.tobytes())


def write_questionnaire(folder: Path, questionnaire: Questionnaire) -> None:
    """Put what was told of the person in place, whole or not at all."""
    draft = folder / f"{QUESTIONNAIRE}.new"
    draft.write_text(questionnaire.model_dump_json(exclude_none=True), encoding="utf-8")
    draft.replace(folder / QUESTIONNAIRE)


def read_questionnaire(folder: Path) -> Questionnaire | None:
    """Read the details of the person."""
    path = folder / QUESTIONNAIRE
    return Questionnaire.model_validate_json(path.read_bytes()) if path.is_file() else None


def read_about(folder: Path) -> About:
    """Read a recording's entry in the list."""
    return About.model_validate_json((folder / ABOUT).read_bytes())


def read_header(folder: Path) -> Header:
    """Read the meaning of the samples."""
    return Header.model_validate_json((folder / RECORD).read_bytes())


def map_samples(folder: Path) -> Int16Array:
    """(n, leads) int16, read from the disk where they are looked at."""
    return cast("Int16Array", np.load(folder / SAMPLES, mmap_mode="r", allow_pickle=False))
