"""Recordings that may be trained on: never one of the test patients.

201 (DS1) and 202 (DS2) are two recordings of one person, one on each side of the published split. Training keeps 201,
as all published figures on this split do; the model card says so beside the figures.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ecg.errors import EcgStreamError
from ecg.labels import DS1, DS2
from ecg.wfdb_files import find_record


class SplitError(EcgStreamError):
    """A test recording was about to be read for training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecords:
    """Recordings to train, tune and calibrate on. The only way in to the training data.

    Attributes
    ----------
    directory : the folder that holds the WFDB records
    names : record names, none of them of DS2

    Raises
    ------
    SplitError : when a record is of the test set DS2, by its name or by what its header says
    """

    directory: Path
    names: tuple[str, ...] = DS1

    def __post_init__(self) -> None:
        if not self.names:
            raise EcgStreamError("no record to train on: name some, or leave the names out for DS1")
        for name in self.names:
            _refuse(name, name)
            # A copy under another name is still a test patient: the header names its record and its signal files.
            header = find_record(name, self.directory).read_text(encoding="utf-8", errors="replace")
            for line in header.splitlines():
                if line and not line.startswith("#"):
                    _refuse(name, Path(line.split()[0].split("/")[0]).stem)

    def content_hash(self, name: str) -> str:
        """SHA-256 over a record's header, the signal files that it names, and the annotations, hex."""
        digest = hashlib.sha256()
        header = self.directory / f"{name}.hea"
        lines = [line.split() for line in header.read_text(encoding="utf-8", errors="replace").splitlines()]
        signals = [fields[0] for fields in lines if fields and not fields[0].startswith("#")][1:]
        for file in (
            header,
            *(self.directory / signal for signal in dict.fromkeys(signals)),
            header.with_suffix(".atr"),
        ):
            if file.is_file():
                digest.update(file.name.encode() + b"\0" + file.read_bytes())
        return digest.hexdigest()


def _refuse(name: str, found: str) -> None:
    if found in DS2:
        twin = " (the same person as 201, but on the test side)" if found == "202" else ""
        raise SplitError(
            f"record {name} is {found} of the test set DS2{twin}: it must never reach training, tuning or "
            f"calibration; train on DS1 ({DS1[0]} ... {DS1[-1]})"
        )
