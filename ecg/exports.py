"""Recordings written for other programs: one table of formats. What is missing is marked missing in each."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, get_args

from ecg.annotations import Annotations, write_annotations
from ecg.edf_form import EdfForm
from ecg.edf_writing import EdfFile
from ecg.errors import EcgStreamError
from ecg.records import Int16Array, Recording
from ecg.wfdb_writing import write_wfdb

ExportForm = Literal["wfdb", "edf", "fhir"]
FORMS: tuple[ExportForm, ...] = get_args(ExportForm)
_PIECE = 1_000_000  # samples of each lead that are written at once
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")  # of WFDB records


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """All that a recording does not say of itself.

    Attributes
    ----------
    patient, device : who, and what recorded; None where it is not known
    start_ns : time of the first sample, ns UTC; None where it is not known
    annotations : of beats, for formats that hold some (WFDB); None for none
    """

    patient: str | None = None
    device: str | None = None
    start_ns: int | None = None
    annotations: Annotations | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A format that is written.

    Attributes
    ----------
    suffix : of the file that is named
    beside : suffixes of the files of the same name that belong to it
    media_type : of one file; of a .zip where there are several
    write : takes path, recording and origin, and returns the files, the named one first
    """

    suffix: str
    media_type: str
    write: Callable[[Path, Recording, Origin], tuple[Path, ...]]
    beside: tuple[str, ...] = ()


def export(
    path: Path, recording: Recording, origin: Origin, form: ExportForm, *, replace: bool = False
) -> tuple[Path, ...]:
    """Write a recording: all of it, or nothing.

    Parameters
    ----------
    path : of the file, with or without the format's suffix
    recording : what is written; it may be read from the files that are written over
    origin : of whom, and when
    form : one of ``EXPORTS``
    replace : whether files that are there may be written over

    Returns
    -------
    the files, the named one first

    Raises
    ------
    EcgStreamError : when it holds no sample, the format cannot hold it, one is there already, or cannot be written
    """
    if recording.length == 0:
        raise EcgStreamError(f"record {recording.name} holds 0 samples: give a stretch that has some")
    kind = EXPORTS[form]
    path = path if path.suffix.lower() == kind.suffix else path.with_name(path.name + kind.suffix)
    there = [each for each in (path, *(path.with_suffix(suffix) for suffix in kind.beside)) if each.exists()]
    if there and not replace:
        raise EcgStreamError(f"{there[0]} is there already: name another file, or give --force to write over it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".export-", dir=path.parent) as folder:
            written = kind.write(Path(folder) / path.name, recording, origin)
            files = tuple(path.with_name(each.name) for each in written)
            if stale := [each for each in there if each not in files]:
                raise EcgStreamError(
                    f"{stale[0]} belongs to the record that is there, and would be taken for the new one's: move it "
                    "away, or name another file"
                )
            # The named file last: a header is there when its signals are.
            for new, file in reversed(list(zip(written, files, strict=True))):
                new.replace(file)
            return files
    except OSError as error:
        raise EcgStreamError(f"{path} cannot be written ({error.strerror}): name another file") from error


def plain_stem(name: str) -> str:
    """Return a name as a WFDB record may have it: letters, digits, - and _."""
    return _NOT_IN_NAMES.sub("-", name).strip("-") or "ecg"


def _wfdb(path: Path, recording: Recording, origin: Origin) -> tuple[Path, ...]:
    if _NOT_IN_NAMES.search(path.stem):
        raise EcgStreamError(
            f"{path.stem!r} is no name of a WFDB record, which has letters, digits, - and _ alone: name it "
            f"{plain_stem(path.stem)}"
        )
    notes = [f"{word}: {value}" for word, value in (("patient", origin.patient), ("device", origin.device)) if value]
    files = write_wfdb(path, recording, recording.pieces(_PIECE), start_ns=origin.start_ns, notes=notes)
    if origin.annotations is None or not len(origin.annotations.sample):
        return files
    return *files, write_annotations(path, origin.annotations)


def _edf(path: Path, recording: Recording, origin: Origin) -> tuple[Path, ...]:
    form = EdfForm(
        fs_hz=recording.fs_hz,
        leads=recording.leads,
        gain=recording.gain,
        baseline=recording.baseline,
        patient=origin.patient,
        device=origin.device,
        start_ns=origin.start_ns,
    )
    with EdfFile(path, form) as file:
        for number, samples in enumerate(_records_of(recording, form.record_samples)):
            file.add(number, samples)
        if not file.records:
            raise EcgStreamError(f"record {recording.name} has no sample that was received: give another stretch")
    return (path,)


def _records_of(recording: Recording, size: int) -> Iterator[Int16Array]:
    # Data records are small: many are read from the disk at once.
    for piece in recording.pieces(max(1, _PIECE // size) * size):
        for start in range(0, len(piece), size):
            yield piece[start : start + size]


def _fhir(path: Path, recording: Recording, origin: Origin) -> tuple[Path, ...]:
    from fhir.resources.R4B.observation import Observation  # noqa: PLC0415 # half a second, for FHIR alone

    from ecg.fhir_signal import observation_of  # noqa: PLC0415

    fields = observation_of(
        recording.in_memory(), patient=origin.patient, device=origin.device, start_ns=origin.start_ns
    )
    path.write_text(Observation.model_validate(fields).model_dump_json() + "\n", encoding="utf-8")
    return (path,)


EXPORTS: dict[ExportForm, Export] = {
    "wfdb": Export(suffix=".hea", media_type="application/zip", write=_wfdb, beside=(".dat", ".atr")),
    "edf": Export(suffix=".edf", media_type="application/octet-stream", write=_edf),
    "fhir": Export(suffix=".json", media_type="application/fhir+json", write=_fhir),
}
