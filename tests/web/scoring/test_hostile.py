"""Hostile files are refused, each with a reason, while the good ones beside them are scored."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from alerting.rules import load_rules
from detector.settings import DetectorSettings
from ecg.intake import Sent
from tests.web.scoring.hostile import HOSTILE, MIXED
from tests.web.scoring.recordings import FS_HZ, csv, millivolts, npy
from web.scoring.jobs import Desk, Keeping, Outcome, Reading, ScoreFiles

GOOD = npy(millivolts(10)[:, 0])


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk(DetectorSettings(_env_file=None), load_rules(None))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A request's folder beside the recordings; nothing else may change."""
    (tmp_path / "recordings").mkdir()
    (tmp_path / "request").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    yield tmp_path / "request"
    assert {path.name for path in tmp_path.iterdir()} == {"recordings", "request", "here"}
    assert not list((tmp_path / "here").iterdir())


def score(desk: Desk, folder: Path, files: dict[str, bytes]) -> Outcome:
    sent = []
    for number, (name, content) in enumerate(files.items()):
        path = folder / f"file{number}"
        path.write_bytes(content)
        sent.append(Sent(name=name, path=path))
    job = ScoreFiles(
        files=tuple(sent),
        work=folder / "work",
        reading=Reading(fs_hz=FS_HZ),
        keeping=Keeping(recordings=folder.parent / "recordings", owner="o", now_ns=0, questionnaire=None),
    )
    return job.do(desk)


@pytest.mark.parametrize(("files", "complaint"), [each[1:] for each in HOSTILE], ids=[each[0] for each in HOSTILE])
def test_hostile_files_are_refused_and_the_good_one_beside_them_is_scored(
    desk: Desk, folder: Path, files: dict[str, bytes], complaint: str
) -> None:
    outcome = score(desk, folder, files | {"good.npy": GOOD})
    assert len(outcome.kept) == 1
    if not complaint:
        assert outcome.refused == ()
        return
    details = [refused.error.detail for refused in outcome.refused]
    assert any(complaint in detail for detail in details), details
    for refused in outcome.refused:
        assert len(refused.error.detail) < 600
        assert (refused.error.detail + refused.file).isprintable()
        assert str(folder) not in refused.error.detail, "whoever sends files learns nothing of this machine"


def test_a_damaged_record_of_an_archive_hinders_none_of_the_others(desk: Desk, folder: Path) -> None:
    outcome = score(desk, folder, {"all.zip": MIXED})
    assert len(outcome.kept) == 1
    assert [refused.file for refused in outcome.refused] == ["all.zip/notes/readme.md", "all.zip/set/bad.hea"]


def test_what_is_shorter_than_a_window_is_told_so(desk: Desk, folder: Path) -> None:
    outcome = score(desk, folder, {"short.csv": b"\n".join(csv(10).splitlines()[:50])})
    assert outcome.kept == ()
    assert "is shorter than one window of 5 s" in outcome.refused[0].error.detail
