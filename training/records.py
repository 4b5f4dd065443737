"""Recordings that may be trained on: never one that is held back.

201 (DS1) and 202 (DS2) are two recordings of one person, one on each side of the published split. Training keeps 201,
as all published figures on this split do; the model card says so beside the figures.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ecg.annotations import Annotations
from ecg.errors import EcgStreamError
from ecg.labels import DS1, DS2
from ecg.records import Record
from ecg.wfdb_files import find_record, read_wfdb
from ecg.wfdb_header import read_header
from training.databases import DATABASES, database_of, mitdb
from training.databases.signal_prints import lead_prints


class SplitError(EcgStreamError):
    """A recording that is held back was about to be read for training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecords:
    """Recordings to train, tune and calibrate on. The only way in to the training data.

    Attributes
    ----------
    directory : the folder that holds the WFDB records of mitdb
    names : record names, none of them held back; those of other databases as "svdb/800"
    folders : of the other databases, where their records lie

    Raises
    ------
    SplitError : when a record is held back (of the test set DS2, or of the unseen part of another database), by its
        name, by what its header says or by the file that a link leads to; of a known database, whatever is not among
        what may be learned from. A copy of DS2 under any name is refused by its samples, when it is read
    """

    directory: Path
    names: tuple[str, ...] = DS1
    folders: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.names:
            raise EcgStreamError("no record to train on: name some, or leave the names out for DS1")
        for name in self.names:
            database, plain = database_of(name)
            _refuse(name, plain)
            if plain != name and plain not in database.learned:
                raise SplitError(
                    f"record {name} is not among the {len(database.learned)} of {database.name} that may be learned "
                    f"from: train on those ({database.learned[0]} ...)"
                )
            # A copy under another name is still a test patient: the header names its record and its signal files.
            header = self.path(name).with_name(f"{self.path(name).name}.hea")
            _refuse(name, header.resolve().stem)
            for line in header.read_text(encoding="utf-8-sig", errors="replace").splitlines():
                if (fields := line.split()) and not line.startswith("#"):
                    _refuse(name, fields[0])
            for signal in read_header(header).signals:
                _refuse(name, (header.parent / signal.file_name).resolve().stem)

    def path(self, name: str) -> Path:
        """Return where a record lies, without suffix.

        Raises
        ------
        EcgStreamError : when it is not there, or nobody said where its database lies
        """
        database, plain = database_of(name)
        if plain == name:
            return find_record(name, self.directory).with_suffix("")
        if database.name not in self.folders:
            raise EcgStreamError(f"record {name}: the folder of {database.name} is not given")
        return find_record(plain, self.folders[database.name]).with_suffix("")

    def read(self, name: str) -> Record:
        """The recording.

        Raises
        ------
        EcgStreamError : when it cannot be read
        SplitError : when its samples are those of a record that is held back
        """
        record = read_wfdb(self.path(name))
        prints = lead_prints(record)
        for database in DATABASES.values():
            if database.held_back & prints:
                raise SplitError(
                    f"record {name} holds the samples of a record of {database.name} that is held back: it must never "
                    "reach training, tuning or calibration; leave it out"
                )
        return record

    def annotations(self, name: str) -> Annotations:
        """Its annotations, where the QRS peaks are."""
        return database_of(name)[0].annotations(self.path(name))

    def content_hash(self, name: str) -> str:
        """SHA-256 over a record's header, the signal files that it names, and the annotations, hex."""
        digest = hashlib.sha256()
        path = self.path(name)
        header = path.with_name(f"{path.name}.hea")
        lines = [line.split() for line in header.read_text(encoding="utf-8", errors="replace").splitlines()]
        signals = [fields[0] for fields in lines if fields and not fields[0].startswith("#")][1:]
        for file in (
            header,
            *(path.parent / signal for signal in dict.fromkeys(signals)),
            header.with_suffix(".atr"),
        ):
            if file.is_file():
                digest.update(file.name.encode() + b"\0" + file.read_bytes())
        return digest.hexdigest()


def _refuse(name: str, found: str) -> None:
    if (record := mitdb.DATABASE.record_in(found)) in DS2:
        twin = " (the same person as 201, but on the test side)" if record == "202" else ""
        raise SplitError(
            f"record {name} is {record} of the test set DS2{twin}: it must never reach training, tuning or "
            f"calibration; train on DS1 ({DS1[0]} ... {DS1[-1]})"
        )
    for database in DATABASES.values():
        if database.holds_back(found):
            raise SplitError(
                f"record {name} is {database.record_in(found)} of the part of {database.name} that stays unseen: it "
                "must never reach training, tuning or calibration; train on the other records "
                f"({database.learned[0]} ...)"
            )
