"""The made parts of the model card."""

import json
from pathlib import Path
from typing import Any

import pytest

from ecg.errors import EcgStreamError
from ecg.labels import DS1
from models import SHIPPED
from tests.training.judged import ANNOTATIONS, THRESHOLDS, VERDICTS
from training.databases import DATABASES
from training.evaluate import evaluate
from training.model_card import FiguresRow, learned_databases, write_card
from training.run import load_run

STRIPS: dict[str, Any] = {
    "records": 2,
    "patients": 2,
    "hours": 0.5,
    "af": {"se": 0.5, "ppv": 1.0, "f1": 0.667},
    "noise": {"se": None, "false_share": 0.0},
    "alarms": {"high": {"count": 0, "false_per_hour": 0.0}, "audible_per_hour": 4.0},
    "unusable_share": 0.25,
    "intervals": {"af": {"se": [0.25, 0.75]}, "noise": {"se": None}},
}


def _row(name: str, figures: object, folder: Path) -> FiguresRow:
    file = folder / "figures.json"
    file.write_text(json.dumps(figures), encoding="utf-8")
    return FiguresRow.read(f"{name}={file}")


def _beats() -> dict[str, Any]:
    return evaluate({"one": VERDICTS}, {"one": ANNOTATIONS}, thresholds=THRESHOLDS).model_dump(mode="json")


def test_every_database_stands_in_the_card_with_licence_and_citation(tmp_path: Path) -> None:
    card = write_card(tmp_path, (*DS1, "svdb/800"), ("svdb/801",)).read_text(encoding="utf-8")
    for database in DATABASES.values():
        (line,) = [line for line in card.splitlines() if line.startswith(f"| {database.title} |")]
        assert database.licence in line
        assert database.citation in line
    assert f"| {DATABASES['mitdb'].title} | 22 records | - |" in card
    assert f"| {DATABASES['svdb'].title} | 1 records | 1 records |" in card
    assert f"| {DATABASES['vfdb'].title} | - | - |" in card


def test_what_people_wrote_stays_and_what_is_made_is_made_anew(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text("# Mine\n\nBefore.\n", encoding="utf-8")
    write_card(tmp_path, DS1, DS1)
    card.write_text(card.read_text(encoding="utf-8") + "\nAfter.\n", encoding="utf-8")
    rows = [_row("DS1 alone", _beats(), tmp_path), _row("all that is allowed", {"databases": {"s": STRIPS}}, tmp_path)]
    write_card(tmp_path, DS1, DS1, rows)
    written = card.read_text(encoding="utf-8")
    assert written.startswith("# Mine\n\nBefore.\n")
    assert "\nAfter.\n" in written
    lines = [line for line in written.splitlines() if line.startswith(("| DS1 alone", "| all that"))]
    assert [line.split(" | ")[0] for line in lines] == ["| DS1 alone", "| DS1 alone", "| all that is allowed"]
    assert "AF strips 0.500 (0.250 to 0.750) / 1.000; noise strips -" in lines[2]
    assert "| 0.00, -, - | 4.00 | 0.250 |" in lines[2]
    write_card(tmp_path, DS1, DS1, rows)
    assert card.read_text(encoding="utf-8") == written, "once more changes nothing"
    write_card(tmp_path, DS1, DS1)
    assert card.read_text(encoding="utf-8") == written, "without figures those that are there stay"


@pytest.mark.parametrize("given", ["ds1.json", "=ds1.json", "DS1 alone=gone.json", "DS1 alone=empty.json"])
def test_what_is_no_row_is_refused(given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.json").write_text("{}", encoding="utf-8")
    with pytest.raises(EcgStreamError, match=r"names no row|holds no figures"):
        FiguresRow.read(given)


@pytest.mark.parametrize(("names", "database"), [(("800", "894"), "svdb"), (("418",), "vfdb"), (("x",), "4 records")])
def test_figures_are_told_by_the_database_of_their_records(
    names: tuple[str, ...], database: str, tmp_path: Path
) -> None:
    figures = _beats() | {"per_record": {name: {} for name in names}, "records": 4}
    ((row, _),) = _row("these", figures, tmp_path).by_database()
    assert row.database == database


def test_a_manifest_names_the_databases_of_its_records() -> None:
    assert [(of["name"], of["records"]) for of in learned_databases(("101", "106", "svdb/800"))] == [
        ("mitdb", 2),
        ("svdb", 1),
    ]


def test_the_shipped_card_is_up_to_date(tmp_path: Path) -> None:
    card = SHIPPED / "README.md"
    (tmp_path / "README.md").write_bytes(card.read_bytes())
    run = load_run(SHIPPED)
    assert write_card(tmp_path, run.records, run.beat_records).read_bytes() == card.read_bytes()
