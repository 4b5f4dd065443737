"""A published set of recordings: its records, which of them may be learned from, how they are read."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ecg.annotations import Annotations, read_annotations


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A set of recordings.

    Attributes
    ----------
    name : the name of its folder in the data directory
    title, licence, citation : as its publisher gives them
    records : matches the names of its records
    learned : the records that may train, tune and validate; every other is held back
    annotations : reads the experts' annotations of a record, given its path
    """

    name: str
    title: str
    licence: str = "Open Data Commons Attribution 1.0"
    citation: str
    records: re.Pattern[str]
    learned: tuple[str, ...]
    annotations: Callable[[Path], Annotations] = read_annotations

    def holds_back(self, record: str) -> bool:
        """Return whether a name is that of a record that nothing may be learned from."""
        return bool(self.records.fullmatch(record)) and record not in self.learned
