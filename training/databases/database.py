"""A published set of recordings: its records, which of them may be learned from, how they are read."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ecg.annotations import Annotations, read_annotations
from ecg.data import DATABASES as PUBLISHED

_LEADING_WORD = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A set of recordings.

    Attributes
    ----------
    name : by which ``ecg.data`` fetches it, and of its folder in the data directory
    licence, citation : as its publisher gives them
    records : matches the names of its records
    learned : the records that may train, tune and validate; every other is held back
    held_back : prints (``signal_prints``) of leads that are held back, where whoever wrote them had the records: a copy
        under any name is known by them
    tunes : what beside the networks was chosen on it, for the model card
    unseen : what of it is held back, in words; "" for nothing
    rhythms : of its records: marked where there are any; normal, as who chose them says; or unknown, so that a window
        without an odd beat may be in atrial fibrillation, and teaches nothing but beats
    annotations : reads the experts' annotations of a record, given its path
    labels : reads what they say of whole records, by name, given the folder; None where they say nothing
    """

    name: str
    licence: str = "Open Data Commons Attribution 1.0"
    citation: str
    records: re.Pattern[str]
    learned: tuple[str, ...]
    held_back: frozenset[str] = frozenset()
    tunes: str = ""
    unseen: str = ""
    rhythms: Literal["marked", "normal", "unknown"] = "marked"
    annotations: Callable[[Path], Annotations] = read_annotations
    labels: Callable[[Path], Mapping[str, str]] | None = None

    @property
    def title(self) -> str:
        """The name that it is published under, and its version."""
        published = PUBLISHED[self.name]
        return f"{published.title} {published.version}"

    def record_in(self, name: str) -> str | None:
        """The record whose name a name is or begins with; None where it is no record of this database.

        "803", "803.dat" and "803-copy" are all 803; "8030" is not, nor is "own-803". Case does not count.
        """
        found = _LEADING_WORD.search(name)
        spellings = (found.group(), found.group().lower(), found.group().upper()) if found else ()
        return next((each for each in spellings if self.records.fullmatch(each)), None)

    def holds_back(self, name: str) -> bool:
        """Return whether a name is, or begins with, that of a record that nothing may be learned from."""
        record = self.record_in(name)
        return record is not None and record not in self.learned
