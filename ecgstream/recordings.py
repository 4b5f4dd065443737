"""Recordings that a command means, and where they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ecg.data import data_directory
from ecg.excerpts import EXCERPTS, WARD
from ecg.labels import records_named
from ecg.records import Record
from ecg.wfdb_files import TOY_NAME, find_record, load_record, read_noise
from ecgstream.settings import ProcessSettings, load
from training.databases import DATABASES, records_of
from training.records import TrainingRecords

DATABASE = "mitdb"
FAVOURITE = "208"  # many premature ventricular beats from the first minute on
NOISE_DATABASE = "nstdb"
WARD_SELECTION = "ward"


def records_folder(data: Path | None, process: ProcessSettings, database: str = DATABASE) -> Path:
    """The folder of WFDB records: the option, else that of a database in the data directory."""
    return data.expanduser() if data else data_directory(process.data_dir) / database


def names_of(selections: Sequence[str], folder: Path) -> tuple[str, ...]:
    """The record names that are meant; none given means record 208, or the excerpt of it that is always there.

    Parameters
    ----------
    selections : each a name, several separated by commas, "ds1", "ds2", "all", or "ward": the six excerpts that come
        with the package
    folder : where the records are

    Raises
    ------
    EcgStreamError : when a record is not there
    """
    if not selections:
        return (FAVOURITE if (folder / f"{FAVOURITE}.hea").is_file() else TOY_NAME,)
    names: list[str] = []
    for selection in selections:
        names.extend(WARD if selection.lower() == WARD_SELECTION else records_named(selection, folder))
    return tuple(dict.fromkeys(names))


def what_is_shown(names: Sequence[str]) -> tuple[str, ...]:
    """A line for each excerpt among the records: its name, and what is to be seen in it."""
    return tuple(f"  {name:<14} {EXCERPTS[name].shows}" for name in names if name in EXCERPTS)


def load_records(names: Sequence[str], folder: Path) -> tuple[Record, ...]:
    """The records by name.

    Raises
    ------
    EcgStreamError : when one is not there or cannot be read
    """
    return tuple(load_record(name, folder) for name in names)


def noise_record(name: str, process: ProcessSettings) -> Record:
    """A record of the Noise Stress Test: "bw", "em" or "ma".

    Raises
    ------
    EcgStreamError : when it is not in the data directory
    """
    return read_noise(find_record(name, data_directory(process.data_dir) / NOISE_DATABASE))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """Sources of a training: records, the folder of prepared windows, the folder of the noise records."""

    records: TrainingRecords
    cache: Path
    noise: Path


def training_data(
    run_directory: Path,
    *,
    data: Path | None,
    records: str,
    noise: Path | None,
    cache: Path | None,
    databases: str | None = None,
) -> TrainingData:
    """Return what the options of a training command mean.

    Parameters
    ----------
    databases : selections of databases, separated by commas, that take the place of ``records``

    Raises
    ------
    EcgStreamError : when a record is not there
    SplitError : when one is held back
    """
    process = load(ProcessSettings)
    folder = records_folder(data, process)
    names = names_of([records], folder) if databases is None else records_of(databases)
    return TrainingData(
        records=recordings_of(names, data=data),
        cache=cache or run_directory / "windows",
        noise=noise or data_directory(process.data_dir) / NOISE_DATABASE,
    )


def recordings_of(names: Sequence[str], *, data: Path | None) -> TrainingRecords:
    """Return recordings that may be learned from, by their names in a manifest.

    Parameters
    ----------
    names : of mitdb "101", of other databases "svdb/800"
    data : the folder of mitdb's; None for the one in the data directory, beside which the others lie

    Raises
    ------
    EcgStreamError : when a record is not there
    SplitError : when one is held back
    """
    process = load(ProcessSettings)
    directory = data_directory(process.data_dir)
    return TrainingRecords(
        directory=records_folder(data, process),
        names=tuple(names),
        folders={name: directory / name for name in DATABASES if name != DATABASE},
    )
