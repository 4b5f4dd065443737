"""Recordings that are there to be tried: excerpts that come along, and what the data directory holds."""

from dataclasses import dataclass
from pathlib import Path

from ecg.excerpts import EXCERPTS
from ecg.labels import DS2
from web.scoring.answers import Sample, Samples

BEATS = "ecg5000"
_RECORDS = "mitdb"
_BEATS_FILE = "ECG5000_TEST.tsv"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleShelf:
    """Samples to try.

    Attributes
    ----------
    data : the data directory
    """

    data: Path

    @property
    def records(self) -> Path:
        """Return the records' folder."""
        return self.data / _RECORDS

    @property
    def beats(self) -> Path:
        """The file of single beats."""
        return self.data / BEATS / _BEATS_FILE

    def names(self) -> tuple[str, ...]:
        """The records that are there: the excerpts, and half hours on which no network was trained."""
        return (*EXCERPTS, *self._held())

    def _held(self) -> tuple[str, ...]:
        return tuple(
            name for name in DS2 if all((self.records / f"{name}{suffix}").is_file() for suffix in (".hea", ".dat"))
        )

    def describe(self) -> Samples:
        """All that is there, and how to get what is not."""
        records = [Sample(name=name, label=_label(name), kind="record") for name in self.names()]
        beats = [Sample(name=BEATS, label="20 beats of ECG5000", kind="beats")] if self.beats.is_file() else []
        lacking = [
            name
            for name, there in (
                ("the test records of MIT-BIH", bool(self._held())),
                ("the beats of ECG5000", bool(beats)),
            )
            if not there
        ]
        missing = f"{' and '.join(lacking)} are not here: run 'ecgstream data fetch'" if lacking else None
        return Samples(samples=[*records, *beats], missing=missing)


def _label(name: str) -> str:
    return f"{name}: {EXCERPTS[name].shows}" if name in EXCERPTS else name
