"""Contents of a whole database, in one row: what may be learned from it, and how much of it is held back."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecg.annotations import Annotations, read_annotations
from ecg.errors import EcgStreamError
from ecg.labels import beat_labels
from ecg.records import MISSING, Record
from ecg.wfdb_files import list_records
from training.databases import DATABASES, mitdb
from training.databases.database import Database
from training.record_facts import UNKNOWN_RHYTHM, rhythm_seconds
from training.records import TrainingRecords

Track = Callable[[Sequence[str]], Iterable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """Counts over the records that may be learned from and are there; of those held back their number alone.

    Attributes
    ----------
    database : whose
    records, held_back : how many are there
    hours : of the former
    rates_hz, leads : sampling rate, and names of the leads together, to how many records have them, the most first
    beats : AAMI class to number of beats; empty where no beat is annotated
    rhythms : annotated rhythm to its hours, the longest first; none before the first mark
    labels : what experts say of whole records to how many
    missing : samples never taken, over all leads
    constant : leads that never move
    unread : records that cannot be read, and why
    """

    database: Database
    records: int
    held_back: int
    hours: float
    rates_hz: Mapping[float, int]
    leads: Mapping[str, int]
    beats: Mapping[str, int]
    rhythms: Mapping[str, float]
    labels: Mapping[str, int]
    missing: int
    constant: int
    unread: Mapping[str, str]


def facts_of_databases(directory: Path, *, track: Track = lambda names: names) -> tuple[DatabaseFacts, ...]:
    """Count what every database in the data directory holds; one that is not there has no row.

    Parameters
    ----------
    directory : one folder a database
    track : wraps the records' names, for a progress bar
    """
    return tuple(
        facts_of_database(database, directory / name, track=track)
        for name, database in DATABASES.items()
        if (directory / name).is_dir()
    )


def facts_of_database(database: Database, folder: Path, *, track: Track = lambda names: names) -> DatabaseFacts:
    """Count what one database holds.

    Raises
    ------
    EcgStreamError : when the folder holds no record
    """
    there = list_records(folder)
    teach = [name for name in there if name in database.learned]
    rates_hz: Counter[float] = Counter()
    leads: Counter[str] = Counter()
    beats: Counter[str] = Counter()
    rhythms: dict[str, float] = {}
    labels = database.labels(folder) if database.labels else {}
    seconds, missing, constant = 0.0, 0, 0
    unread: dict[str, str] = {}
    for name in track(teach):
        try:
            record, annotations = _read(database, folder, name)
        except EcgStreamError as error:
            unread[name] = str(error).replace(str(folder), folder.name)
            continue
        seconds += record.seconds
        rates_hz[record.fs_hz] += 1
        leads[", ".join(record.leads)] += 1
        gone = record.samples == MISSING
        missing += int(gone.sum())
        constant += int((np.ptp(np.where(gone, 0, record.samples), axis=0) == 0).sum())
        if annotations is not None:
            beats.update(str(letter) for letter in beat_labels(annotations).aami)
            for rhythm, lasts_s in rhythm_seconds(annotations, record).items():
                rhythms[rhythm] = rhythms.get(rhythm, 0.0) + lasts_s / 3600
    rhythms.pop(UNKNOWN_RHYTHM, None)
    return DatabaseFacts(
        database=database,
        records=len(teach) - len(unread),
        held_back=sum(map(database.holds_back, there)),
        hours=seconds / 3600,
        rates_hz=dict(rates_hz.most_common()),
        leads=dict(leads.most_common()),
        beats={letter: beats[letter] for letter in "NSVFQ"} if beats else {},
        rhythms=dict(sorted(rhythms.items(), key=lambda item: -item[1])),
        labels=dict(Counter(labels[name] for name in teach if name in labels).most_common()),
        missing=missing,
        constant=constant,
        unread=unread,
    )


def _read(database: Database, folder: Path, name: str) -> tuple[Record, Annotations | None]:
    """A record by the way in to the training data, and its annotations where it has any."""
    if database is mitdb.DATABASE:
        records = TrainingRecords(directory=folder, names=(name,))
    else:
        name = f"{database.name}/{name}"
        records = TrainingRecords(directory=folder, names=(name,), folders={database.name: folder})
    path = records.path(name)
    # As they are written: moved to the peaks, which takes a search through the signal, they are as many.
    return records.read(name), read_annotations(path) if path.with_name(f"{path.name}.atr").is_file() else None
