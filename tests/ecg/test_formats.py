"""The table of file formats: whatever reads a file is in it, and everybody asks it."""

import pkgutil
from pathlib import Path

import edfio
import numpy as np
import pytest
from httpx import ASGITransport, AsyncClient
from scipy.io import savemat

import ecg
from ecg.contents import check_content
from ecg.errors import EcgStreamError
from ecg.excerpts import EXCERPTS
from ecg.files import open_recording
from ecg.formats import FORMATS, PICTURE_SUFFIXES, Format, content_of, format_of, is_part, names_a_file
from ecg.records import Recording
from reports.recording import read_recording as read_for_a_report
from tests.ecg import forms
from tests.web.parts import make_parts
from web.app import make_app

WAVE = np.sin(np.arange(3600) / 57)


def written(form: Format, folder: Path) -> Path:
    """A recording in a format, of ten seconds at 360 Hz where it is not an excerpt that comes along."""
    path = folder / f"a{form.suffixes[0]}"
    match form.name:
        case "WFDB":
            return next(iter(EXCERPTS.values())).path
        case "EDF":
            edfio.Edf([edfio.EdfSignal(WAVE, 360, label="ECG II", physical_dimension="mV")]).write(path)
        case "BDF":
            forms.edf(path, [("ECG II", "mV", 360.0, WAVE)], bdf=True)
        case "DICOM":
            forms.dicom(path)
        case "HL7 aECG":
            forms.aecg(path)
        case "ISHNE":
            forms.ishne(path)
        case "MATLAB":
            savemat(path, {"val": WAVE[np.newaxis]})
        case "CSV":
            path.write_text("MLII\n" + "\n".join(f"{value:.3f}" for value in WAVE))
        case "NumPy":
            np.save(path, WAVE)
        case other:
            pytest.fail(f"no example of the format {other}: write one here")
    return path


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_each_format_is_read_and_known_by_what_it_holds(form: Format, tmp_path: Path) -> None:
    path = written(form, tmp_path)
    rate = None if form.says_all else 360.0
    record = open_recording(path, fs_hz=rate)
    assert isinstance(record, Recording)
    assert record.length >= 3600
    assert content_of(path.read_bytes()[:4096]) == form.content
    check_content(path, path.name)
    assert len(read_for_a_report(str(path), tmp_path, fs_hz=rate).record.samples) == record.length


def test_every_module_that_reads_files_is_in_the_table() -> None:
    modules = {f"ecg.{module.name}" for module in pkgutil.iter_modules(ecg.__path__) if module.name.endswith("_files")}
    assert {form.reader.__module__ for form in FORMATS} == modules


def test_no_suffix_is_taken_twice() -> None:
    suffixes = [suffix for form in FORMATS for suffix in (*form.suffixes, *form.parts, *form.companions)]
    assert len(suffixes) == len(set(suffixes))
    assert suffixes == [suffix.lower() for suffix in suffixes]


def test_suffixes_say_what_a_name_is() -> None:
    assert [names_a_file(name) for name in ("a.HEA", "a.dat", "a.atr", "208", "a.jpg")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert [is_part(name) for name in ("a.hea", "a.dat", "a.atr", "208")] == [False, True, True, False]
    assert format_of("a.dat") is None


def test_what_is_not_read_is_told_with_what_is(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_bytes(b"hello")
    with pytest.raises(
        EcgStreamError,
        match=r"kind \.xyz are not read: give \.hea with \.dat, .*\.npy, a picture or PDF of a paper ECG or a \.zip",
    ):
        open_recording(tmp_path / "a.xyz")
    (tmp_path / "a.scp").write_bytes(b"\0" * 16 + b"SCPECG" + b"\0" * 100)
    with pytest.raises(EcgStreamError, match=r"an SCP-ECG file, which is not read: convert it to EDF, with 'save2gdf"):
        open_recording(tmp_path / "a.scp")
    (tmp_path / "a.mat").write_bytes(b"MATLAB 7.3 MAT-file")
    with pytest.raises(EcgStreamError, match=r"of version 7\.3, which is not read: save it as version 7, save\("):
        check_content(tmp_path / "a.mat", "a.mat")


async def test_the_page_is_told_all_formats(tmp_path: Path) -> None:
    transport = ASGITransport(make_app(make_parts(tmp_path)), client=("127.0.0.1", 50_000))
    async with AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        described = (await client.get("/api/v1/formats")).json()
    assert [each["name"] for each in described["formats"]] == [form.name for form in FORMATS]
    assert [tuple(each["suffixes"]) for each in described["formats"]] == [form.suffixes for form in FORMATS]
    assert (described["archives"], ".json" in described["beats"]) == ([".zip"], True)
    assert described["pictures"] == list(PICTURE_SUFFIXES)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_the_help_and_the_docs_name_every_format(form: Format) -> None:
    # The command line loads no reader before it knows what is asked: its help is a text of its own.
    root = Path(__file__).resolve().parents[2]
    helped = (root / "ecgstream" / "commands" / "models.py").read_text()
    listed = (root / "docs" / "scoring.md").read_text()
    assert form.name in helped or form.usual.split()[0] in helped
    assert all(f"`{suffix}`" in listed for suffix in form.suffixes)
