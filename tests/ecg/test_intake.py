"""What files of one request, or of one command, are recordings: the same over REST as on the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ecg.files import open_recording
from ecg.intake import Readable, Refused, Sent, recordings_at, take_in
from ecg.records import Recording
from tests.ecg.forms import BASELINE, GAIN, base, wfdb, zipped
from tests.ecg.test_forms import mat_with_header, same, segments
from tests.ecgstream.commands import status_of

Taken = tuple[list[Readable], list[Refused]]


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def over_rest(files: dict[str, bytes], folder: Path) -> Taken:
    sent = []
    for number, (name, content) in enumerate(files.items()):
        path = folder / f"file{number}"
        path.write_bytes(content)
        sent.append(Sent(name=name, path=path))
    (folder / "work").mkdir()
    return take_in(sent, folder / "work")


def by_command(files: dict[str, bytes], folder: Path) -> Taken:
    (folder / "here").mkdir()
    (folder / "work").mkdir()
    for name, content in files.items():
        (folder / "here" / name).write_bytes(content)
    return recordings_at(sorted((folder / "here").iterdir()), folder / "work")


def archive_of(folder: Path, pattern: str) -> bytes:
    files = {pattern.format(name): content for name, content in files_of(folder).items()}
    return zipped(folder.parent / "all.zip", files).read_bytes()


def plain(folder: Path) -> dict[str, bytes]:
    wfdb(folder)
    return files_of(folder)


def renamed(folder: Path) -> dict[str, bytes]:
    wfdb(folder, header="r (1).hea", data="r (1).dat", named="r.dat")
    return files_of(folder)


def challenge(folder: Path) -> dict[str, bytes]:
    mat_with_header(folder)
    return files_of(folder)


def powershell(folder: Path) -> dict[str, bytes]:
    wfdb(folder)
    return {"all.zip": archive_of(folder, "set\\a\\{}")}


def macos(folder: Path) -> dict[str, bytes]:
    wfdb(folder)
    files = {f"set/{name}": content for name, content in files_of(folder).items()}
    files |= {f"__MACOSX/set/._{name.removeprefix('set/')}": b"\0\5\26\7" for name in files}
    files |= {"set/._r.hea": b"\0\5\26\7", "set/.DS_Store": b"\0"}
    return {"all.zip": zipped(folder / "all.zip", files).read_bytes()}


def capitals(folder: Path) -> dict[str, bytes]:
    wfdb(folder, header="R.HEA", data="R.DAT")
    return files_of(folder)


FORMS: dict[str, Callable[[Path], dict[str, bytes]]] = {
    each.__name__: each for each in (plain, renamed, challenge, powershell, macos, capitals)
}
WAYS = {"REST": over_rest, "command": by_command}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_one_record_is_one_recording(
    form: Callable[[Path], dict[str, bytes]], way: Callable[..., Taken], tmp_path: Path
) -> None:
    (tmp_path / "made").mkdir()
    readable, refused = way(form(tmp_path / "made"), tmp_path)
    assert refused == []
    (file,) = readable
    found = open_recording(file.path)
    assert isinstance(found, Recording)
    same(found)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_segments_come_as_one_record(way: Callable[..., Taken], tmp_path: Path) -> None:
    segments(tmp_path / "made", layout=True)
    readable, refused = way(files_of(tmp_path / "made"), tmp_path)
    assert ([file.path.name for file in readable], refused) == (["m.hea"], [])


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_one_bad_file_of_an_archive_sinks_no_other(way: Callable[..., Taken], tmp_path: Path) -> None:
    wfdb(tmp_path / "made")
    files = files_of(tmp_path / "made") | {"../x.csv": b"1", ".hidden": b"1", "notes.md": b"#", "b.dat": b"12"}
    readable, refused = way({"all.zip": zipped(tmp_path / "a.zip", files).read_bytes()}, tmp_path)
    assert [file.path.name for file in readable] == ["r.hea"]
    reasons = {each.name.rpartition("all.zip/")[2]: each.reason for each in refused}
    assert set(reasons) == {"../x.csv", ".hidden", "notes.md", "b.dat"}
    assert "lies outside" in reasons["../x.csv"]
    assert "needs its header: give b.hea with it" in reasons["b.dat"]


def test_a_name_with_a_time_of_day_is_a_name(tmp_path: Path) -> None:
    values = (base().astype(float) - BASELINE) / GAIN
    table = "II,V1\n" + "\n".join(f"{first:.3f},{second:.3f}" for first, second in values)
    readable, refused = over_rest({"ECG 2025-03-01T10:11:12.csv": table.encode()}, tmp_path)
    assert (refused, readable[0].name) == ([], "ECG 2025-03-01T10:11:12.csv")
    found = open_recording(readable[0].path, fs_hz=360)
    assert isinstance(found, Recording)
    same(found)


def test_the_command_scores_an_archive_and_tells_what_is_bad_in_it(tmp_path: Path) -> None:
    wfdb(tmp_path / "made")
    good = {f"set\\{name}": content for name, content in files_of(tmp_path / "made").items()}
    archive = zipped(tmp_path / "all.zip", good | {"set\\bad.hea": b"nonsense"})
    results = tmp_path / "results.json"
    assert status_of(["score", str(archive), str(tmp_path / "no.edf"), "--json", str(results)]) == 1
    scored, bad, missing = json.loads(results.read_text())["results"]
    assert (scored["file"], scored["aggregate"]["decision"]) == (f"{archive}/set/r.hea", "abnormal")
    assert (scored["remarks"], len(scored["windows"])) == ([], 4)
    assert bad["file"] == f"{archive}/set/bad.hea"
    assert "is no WFDB header (its record line reads 'nonsense')" in bad["error"]
    assert "there is no file" in missing["error"]
