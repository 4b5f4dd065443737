"""Recordings that come with the package, so that every machine has real ECG: five minutes each, from PhysioNet."""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "excerpts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """Five minutes of a record.

    Attributes
    ----------
    name : what it is asked for by, and its file's name
    database, record : what it was cut from
    first : its first sample in that record
    shows : what is to be seen in it, in a few words
    """

    name: str
    database: str
    record: str
    first: int
    shows: str

    @property
    def path(self) -> Path:
        """Its header."""
        return FOLDER / f"{self.name}.hea"


# Patients of different kinds, none from the test set; no network learned from the one in sinus rhythm.
_WARD = (
    Excerpt(name="19090-excerpt", database="nsrdb", record="19090", first=230_400, shows="sinus rhythm"),
    Excerpt(name="119-excerpt", database="mitdb", record="119", first=118_800, shows="ventricular beats"),
    Excerpt(name="201-excerpt", database="mitdb", record="201", first=7_200, shows="atrial fibrillation"),
    Excerpt(name="806-excerpt", database="svdb", record="806", first=145_920, shows="supraventricular beats"),
    Excerpt(name="209-excerpt", database="mitdb", record="209", first=194_400, shows="supraventricular tachycardia"),
    Excerpt(name="207-excerpt", database="mitdb", record="207", first=9_000, shows="ventricular flutter"),
)
# One lead, with its baseline taken off.
_SINGLE_LEAD = Excerpt(
    name="208-excerpt", database="mitdb", record="208", first=422_820, shows="ventricular and fusion beats"
)
EXCERPTS = {excerpt.name: excerpt for excerpt in (*_WARD, _SINGLE_LEAD)}
WARD = tuple(excerpt.name for excerpt in _WARD)
