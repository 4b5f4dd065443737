"""The parts of a model card that are made, not written: what the models learned from, and rows of measured figures.

They stand between marks in the card, ``README.md`` beside the models; all around them is left as people wrote it.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecg.errors import EcgStreamError
from ecg.labels import DS1, DS2
from ecg.urgency import SOUNDING
from training.database_table import DatabaseRow
from training.databases import DATABASES, challenge2015, challenge2017, database_of

CARD = "README.md"
_MARKS = "<!-- {name}: made by `ecgstream export`, changes are lost -->\n", "<!-- end of {name} -->\n"
_BY_FORM = {"kinds": challenge2015.DATABASE.name, "af": challenge2017.DATABASE.name}  # which name no records
_HEADINGS = {"data": "## What it learned from", "figures": "## Measured, by what it learned from"}
_SPLITS = {frozenset(DS1): "mitdb DS1", frozenset(DS2): "mitdb DS2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FiguresRow:
    """Figures of one pair of models.

    Attributes
    ----------
    learned_from : such as "DS1 alone"
    figures : what ``ecgstream evaluate --json`` wrote with them, of one database or of all
    """

    learned_from: str
    figures: Mapping[str, Any]

    @classmethod
    def read(cls, given: str) -> "FiguresRow":
        """The row that "NAME=FILE" means.

        Raises
        ------
        EcgStreamError : when it has no name, or the file holds no figures
        """
        name, equals, file = given.rpartition("=")
        if not equals or not name.strip():
            raise EcgStreamError(f"--figures {given!r} names no row: write NAME=FILE, such as 'DS1 alone=ds1.json'")
        try:
            row = cls(learned_from=name.strip(), figures=json.loads(Path(file).read_bytes()))
            row.by_database()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise EcgStreamError(
                f"{file} holds no figures ({type(error).__name__}: {error}): give what 'ecgstream evaluate --json' "
                "wrote"
            ) from error
        return row

    def by_database(self) -> list[tuple[DatabaseRow, Mapping[str, Any]]]:
        """Each database's row and all its figures."""
        every = self.figures.get("databases") or {_name_of(self.figures): self.figures}
        return [(DatabaseRow.of(name, of), of) for name, of in every.items()]


def _name_of(figures: Mapping[str, Any]) -> str:
    """Whose figures they are: of a split, of the database that all records are of, or of so many records."""
    names = tuple(figures.get("per_record", ()))
    every = (name for name, of in DATABASES.items() if names and all(map(of.records.fullmatch, names)))
    by_form = next((name for form, name in _BY_FORM.items() if form in figures), None)
    return by_form or _SPLITS.get(frozenset(names)) or next(every, f"{figures['records']} records")


def learned_databases(records: Iterable[str]) -> list[dict[str, Any]]:
    """The databases of some training records, for a manifest: name, title, licence, citation, how many records."""
    counts = Counter(database_of(name)[0].name for name in records)
    return [
        {
            "name": name,
            "title": DATABASES[name].title,
            "licence": DATABASES[name].licence,
            "citation": DATABASES[name].citation,
            "records": count,
        }
        for name, count in counts.items()
    ]


def write_card(
    directory: Path, records: Iterable[str], beat_records: Iterable[str], rows: Sequence[FiguresRow] = ()
) -> Path:
    """Bring the made parts of a card up to date; without a card, begin one.

    Parameters
    ----------
    directory : of the models
    records, beat_records : from which the networks and the trees have learned
    rows : figures to stand beside each other; without any, those of the card stay
    """
    path = directory / CARD
    text = path.read_text(encoding="utf-8") if path.is_file() else "# Model card\n"
    text = _placed(text, "data", _data(records, beat_records))
    if rows:
        text = _placed(text, "figures", _figures(rows))
    path.write_text(text, encoding="utf-8")
    return path


def _placed(text: str, name: str, section: str) -> str:
    begin, end = (mark.format(name=name) for mark in _MARKS)
    made = f"{begin}\n{section}\n{end}"
    found = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if found.search(text):
        return found.sub(lambda _: made, text, count=1)
    return f"{text.rstrip()}\n\n{_HEADINGS[name]}\n\n{made}"


def _data(records: Iterable[str], beat_records: Iterable[str]) -> str:
    counts, of_beats = (Counter(database_of(name)[0].name for name in each) for each in (records, beat_records))
    lines = [
        "| database | the networks learned from | the trees | also used for | held back | licence | citation |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {of.title} | {_count(counts[name])} | {_count(of_beats[name])} | {of.tunes or '-'} | {of.unseen or '-'} "
        f"| {of.licence} | {of.citation} |"
        for name, of in DATABASES.items()
    ]
    return "\n".join(lines) + "\n"


def _count(records: int) -> str:
    return f"{records} records" if records else "-"


def _figures(rows: Sequence[FiguresRow]) -> str:
    parts = [_beat_table(rows), _alarm_table(rows)]
    return "\n".join(part for part in parts if part)


def _beat_table(rows: Sequence[FiguresRow]) -> str:
    lines = [
        f"| {row.learned_from} | {each.database} | {each.patients} | {_windows(of)} "
        f"| {' | '.join(_beats(of, kind) for kind in ('qrs', 'veb', 'sveb'))} |"
        for row in rows
        for each, of in row.by_database()
        if "beats" in of
    ]
    head = [
        "Windows: AUROC and F1 of the fused score. Beats: sensitivity / positive predictivity, F1. In brackets 95 %",
        "intervals by drawing patients anew.",
        "",
        "| learned from | measured on | patients | windows | QRS | ventricular | supraventricular |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *lines]) + "\n" if lines else ""


def _windows(of: Mapping[str, Any]) -> str:
    fused, sure = of["windows"]["fused"], of["intervals"]["windows"]["fused"]
    return f"{_text(fused['auroc'])}{_between(sure['auroc'])}, {_text(fused['f1'])}{_between(sure['f1'])}"


def _beats(of: Mapping[str, Any], kind: str) -> str:
    rates, sure = of["beats"][kind], of["intervals"]["beats"][kind]
    return (
        f"{_text(rates['se'])}{_between(sure['se'])} / {_text(rates['ppv'])}{_between(sure['ppv'])}, "
        f"{_text(rates['f1'])}{_between(sure.get('f1'))}"
    )


def _alarm_table(rows: Sequence[FiguresRow]) -> str:
    head = [
        "False alarms about the patient, per patient and hour, beside what is found of what experts annotated; a dash:",
        "the annotations do not tell.",
        "",
        "| learned from | measured on | patients, hours | found | false high, medium, low | audible/h | unusable |",
        "|---|---|---|---|---|---|---|",
    ]
    lines = [
        f"| {row.learned_from} | {each.database} | {each.patients}, {each.hours:.1f} | {_found(each)} "
        f"| {', '.join(_text(each.false_per_hour[priority], 2) for priority in SOUNDING)} "
        f"| {_text(each.audible_per_hour, 2)} | {_text(each.unusable_share)} |"
        for row in rows
        for each, _ in row.by_database()
    ]
    return "\n".join([*head, *lines]) + "\n"


def _found(row: DatabaseRow) -> str:
    return "; ".join(f"{name} {_text(of['se'])}{_between(of['between'])}{_ppv(of)}" for name, of in row.found.items())


def _ppv(of: Mapping[str, Any]) -> str:
    return f" / {_text(of['ppv'])}" if "ppv" in of else ""


def _text(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _between(ends: Sequence[float] | None) -> str:
    return "" if ends is None else f" ({ends[0]:.3f} to {ends[1]:.3f})"
