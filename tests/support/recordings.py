"""Real recordings that every machine has: the excerpts of the package, and those of ``tests/records``."""

from pathlib import Path

from ecg.excerpts import EXCERPTS
from ecg.records import Record
from ecg.wfdb_files import load_record

RECORDS = Path(__file__).parents[1] / "records"
NAMES = (*EXCERPTS, *sorted(header.stem for header in RECORDS.glob("*.hea")))


def recording(name: str) -> Record:
    """A real recording by name, as ``NAMES`` has them: "207-excerpt" of the package, or "101" of the tests."""
    return load_record(name, RECORDS)


def annotated(name: str) -> Path:
    """The path of a recording's annotations, without ``.atr``."""
    return (EXCERPTS[name].path if name in EXCERPTS else RECORDS / name).with_suffix("")
