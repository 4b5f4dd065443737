"""The data directory: one folder a database, filled from where each is published."""

import io
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import requests

from ecg.download import download, sha256
from ecg.errors import EcgStreamError

VARIABLE = "ECGSTREAM_DATA_DIR"
PHYSIONET = "https://physionet.org/files"
SUMS = "SHA256SUMS.txt"
_ECG5000_URL = "https://www.timeseriesclassification.com/aeon-toolkit/ECG5000.zip"
_ECG5000_ROWS = {"ECG5000_TRAIN": 500, "ECG5000_TEST": 4500}
_ECG5000_COLUMNS = 141  # the class, then 140 samples
_WANTED = (".hea", ".dat", ".mat", ".atr")  # of a PhysioNet folder; the rest is documentation
_LISTS = ("RECORDS", "ALARMS", "REFERENCE")  # and lists that begin so, without suffix or as .csv


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A published set of recordings.

    Attributes
    ----------
    name : its folder's name
    version : the version on PhysioNet; None where it is published elsewhere
    records : how many records it has; 0 where it has none but tables
    title : what it is
    published_as : its name on PhysioNet, where that is another
    within : the folder of it that holds the records; folders in that are laid flat
    """

    name: str
    version: str | None
    records: int
    title: str
    published_as: str | None = None
    within: str = ""


DATABASES = {
    database.name: database
    for database in (
        Database(name="mitdb", version="1.0.0", records=48, title="MIT-BIH Arrhythmia Database"),
        Database(name="svdb", version="1.0.0", records=78, title="MIT-BIH Supraventricular Arrhythmia Database"),
        Database(name="vfdb", version="1.0.0", records=22, title="MIT-BIH Malignant Ventricular Ectopy Database"),
        Database(name="nsrdb", version="1.0.0", records=18, title="MIT-BIH Normal Sinus Rhythm Database"),
        Database(
            name="challenge2015",
            version="1.0.0",
            records=750,
            title="PhysioNet/CinC Challenge 2015: alarms of bedside monitors",
            published_as="challenge-2015",
            within="training/",
        ),
        Database(
            name="challenge2017",
            version="1.0.0",
            records=8528,
            title="PhysioNet/CinC Challenge 2017: strips of a hand-held device",
            published_as="challenge-2017",
            within="training/",
        ),
        Database(name="nstdb", version="1.0.0", records=15, title="MIT-BIH Noise Stress Test Database"),
        Database(name="ecg5000", version=None, records=0, title="UCR ECG5000 (all rows from one patient)"),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """State of a fetch: ``done`` of ``total`` files are whole; of ``file``, ``file_bytes`` have come."""

    database: str
    file: str
    file_bytes: int
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseState:
    """One database in the data directory.

    Attributes
    ----------
    name, title : the database
    records : records whose header and signal file are there
    expected : records the database has
    damaged : files whose SHA-256 is not the published one (known for what ``fetch`` brought), or that lack a part
    """

    name: str
    title: str
    records: int
    expected: int
    damaged: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Return whether everything is there and whole."""
        return self.records >= self.expected and not self.damaged


def data_directory(option: Path | None = None) -> Path:
    """Return where recordings live: the option, else ``ECGSTREAM_DATA_DIR``, else ``ecgstream`` in the user's cache."""
    if option is not None:
        return option.expanduser()
    if named := os.environ.get(VARIABLE):
        return Path(named).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "ecgstream"


def fetch(
    names: Sequence[str],
    directory: Path,
    *,
    base_url: str = PHYSIONET,
    ecg5000_url: str = _ECG5000_URL,
    progress: Callable[[Progress], None] = lambda _: None,
) -> None:
    """Fill the data directory; what is there and whole is left alone, what was cut goes on.

    Parameters
    ----------
    names : databases, of ``DATABASES``; none means all but the challenges, which are thousands of files
    directory : the data directory
    base_url : PhysioNet's files, or a mirror of them
    ecg5000_url : the archive of ECG5000
    progress : called as files come

    Raises
    ------
    EcgStreamError : when a name is not known, or a file cannot be fetched whole
    """
    for name in names:
        if name not in DATABASES:
            raise EcgStreamError(f"database {name!r} is not known: choose of {', '.join(DATABASES)}")
    with requests.Session() as session:
        for name in names or tuple(name for name, database in DATABASES.items() if not database.within):
            database = DATABASES[name]
            folder = directory / name
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise EcgStreamError(f"{folder} cannot be made ({error}): choose another data directory") from error
            if database.version is None:
                _fetch_ecg5000(session, folder, ecg5000_url, progress)
            else:
                published_as = database.published_as or name
                url = f"{base_url.rstrip('/')}/{published_as}/{database.version}"
                _fetch_physionet(session, folder, url, database.within, progress)


def _fetch_physionet(
    session: requests.Session, folder: Path, url: str, within: str, progress: Callable[[Progress], None]
) -> None:
    # The list is fetched anew each time and kept: ``check`` reads it.
    (folder / f"{SUMS}.part").unlink(missing_ok=True)
    download(session, f"{url}/{SUMS}", folder / SUMS, expected_sha256=None)
    sums = _published(folder, within)
    if not sums:
        raise EcgStreamError(f"{url}/{SUMS} names no recording: check the address")
    for done, (file, (path, published)) in enumerate(sums.items()):
        target = folder / file
        state = Progress(database=folder.name, file=file, file_bytes=0, done=done, total=len(sums))
        if not (target.is_file() and sha256(target) == published):
            download(session, f"{url}/{path}", target, expected_sha256=published, progress=_reporter(progress, state))
        progress(
            Progress(database=folder.name, file=file, file_bytes=target.stat().st_size, done=done + 1, total=len(sums))
        )


def _reporter(progress: Callable[[Progress], None], state: Progress) -> Callable[[int], None]:
    def report(file_bytes: int) -> None:
        progress(
            Progress(
                database=state.database, file=state.file, file_bytes=file_bytes, done=state.done, total=state.total
            )
        )

    return report


def _published(folder: Path, within: str) -> dict[str, tuple[str, str]]:
    """The recordings that the folder's list of hashes names: where each is published, and its SHA-256."""
    sums: dict[str, tuple[str, str]] = {}
    listed = folder / SUMS
    if listed.is_file():
        for line in listed.read_text(encoding="utf-8").splitlines():
            digest, _, file = line.strip().partition(" ")
            path = file.strip().lstrip("*").removeprefix("./")
            if _is_wanted(path, within):
                sums[path.rpartition("/")[2]] = path, digest.lower()
    return sums


def _is_wanted(path: str, within: str) -> bool:
    """Return whether a published file is a recording or a list of them; never one that would lie outside the folder."""
    folder, _, name = path.rpartition("/")
    if "\\" in path or ".." in folder.split("/"):
        return False
    if name.startswith(_LISTS) and Path(name).suffix in {"", ".csv"}:
        return not folder or bool(within and path.startswith(within))
    inside = path.startswith(within) if within else not folder
    return inside and Path(name).suffix in _WANTED


def _fetch_ecg5000(session: requests.Session, folder: Path, url: str, progress: Callable[[Progress], None]) -> None:
    """ECG5000 as two tables; nobody publishes its hash, so its rows and columns are counted."""
    total = len(_ECG5000_ROWS)
    if all(_is_table(folder / f"{table}.tsv", rows) for table, rows in _ECG5000_ROWS.items()):
        progress(Progress(database=folder.name, file="ECG5000.zip", file_bytes=0, done=total, total=total))
        return
    archive = folder / "ECG5000.zip"
    state = Progress(database=folder.name, file=archive.name, file_bytes=0, done=0, total=total)
    download(session, url, archive, expected_sha256=None, progress=_reporter(progress, state))
    try:
        with zipfile.ZipFile(archive) as opened:
            for table in _ECG5000_ROWS:
                rows = np.loadtxt(io.BytesIO(opened.read(f"{table}.txt")), ndmin=2)
                np.savetxt(folder / f"{table}.tsv", rows, delimiter="\t", fmt="%.10g")
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise EcgStreamError(f"{url} is no archive of ECG5000 ({error}): check the address") from error
    finally:
        archive.unlink(missing_ok=True)
    for table, rows_expected in _ECG5000_ROWS.items():
        if not _is_table(folder / f"{table}.tsv", rows_expected):
            raise EcgStreamError(
                f"{url}: {table} is not {rows_expected} rows of {_ECG5000_COLUMNS} values: check the address"
            )
    progress(Progress(database=folder.name, file=archive.name, file_bytes=0, done=total, total=total))


def _is_table(path: Path, rows: int) -> bool:
    if not path.is_file():
        return False
    with path.open(encoding="utf-8") as file:
        widths = [line.count("\t") + 1 for line in file if line.strip()]
    return len(widths) == rows and set(widths) == {_ECG5000_COLUMNS}


def check(directory: Path) -> tuple[DatabaseState, ...]:
    """Return what the data directory holds; files that ``fetch`` brought are held against their published hashes."""
    return tuple(_state(database, directory / database.name) for database in DATABASES.values())


def _state(database: Database, folder: Path) -> DatabaseState:
    if database.version is None:
        tables = {f"{table}.tsv": rows for table, rows in _ECG5000_ROWS.items()}
        whole = [file for file, rows in tables.items() if _is_table(folder / file, rows)]
        damaged = tuple(file for file in tables if file not in whole and (folder / file).exists())
        return DatabaseState(
            name=database.name, title=database.title, records=len(whole), expected=len(tables), damaged=damaged
        )
    headers = sorted(folder.glob("*.hea"))
    records = [header for header in headers if any(header.with_suffix(end).is_file() for end in (".dat", ".mat"))]
    wrong = {header.name for header in headers if header not in records}
    for file, (_, published) in _published(folder, database.within).items():
        path = folder / file
        if path.is_file() and sha256(path) != published:
            wrong.add(file)
    return DatabaseState(
        name=database.name,
        title=database.title,
        records=len(records),
        expected=database.records,
        damaged=tuple(sorted(wrong)),
    )
