"""The data directory from the command line."""

import functools
import hashlib
import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ecgstream.commands import status_of

FILES = {"RECORDS": b"100\n", "100.hea": b"100 1 360 9\n", "100.dat": b"\0" * 18, "100.atr": b"\0\0"}


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    """The address of a mirror of PhysioNet with one small record."""
    folder = tmp_path / "site" / "mitdb" / "1.0.0"
    folder.mkdir(parents=True)
    for name, body in FILES.items():
        (folder / name).write_bytes(body)
    sums = "".join(f"{hashlib.sha256(body).hexdigest()} {name}\n" for name, body in FILES.items())
    (folder / "SHA256SUMS.txt").write_text(sums)
    with served(tmp_path / "site") as address:
        yield address


@contextmanager
def served(site: Path) -> Iterator[str]:
    """Serve a folder over HTTP; its address."""
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_what_is_fetched_is_there_and_whole(
    mirror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ECGSTREAM_DATA_DIR", str(tmp_path / "data"))
    assert status_of(["data", "fetch", "mitdb", "--mirror", mirror]) == 0
    assert str(tmp_path / "data") in capsys.readouterr().out
    assert status_of(["data", "check"]) == 0
    assert re.search(r"mitdb +1 of +48 +not whole", capsys.readouterr().out)


def test_damage_is_told_with_the_remedy(mirror: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # From the file of settings, which the check reads as well as the fetch.
    (tmp_path / ".env").write_text(f"ECGSTREAM_DATA_DIR={tmp_path / 'data'}\n")
    assert status_of(["data", "fetch", "mitdb", "--mirror", mirror]) == 0
    (tmp_path / "data" / "mitdb" / "100.dat").write_bytes(b"\1" * 18)
    capsys.readouterr()
    assert status_of(["data", "check"]) == 1
    said = capsys.readouterr()
    assert "damaged: 100.dat" in said.out
    assert "run 'ecgstream data fetch'" in said.err


def test_an_unknown_database_is_named_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["data", "fetch", "afdb"]) == 1
    assert "choose of mitdb, svdb, vfdb" in capsys.readouterr().err


def test_records_that_are_published_in_folders_are_laid_flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "training/A00/A00001.hea": b"A00001 1 300 2\nA00001.mat 16+24 1000 16 0 0 0 0 ECG\n",
        "training/A00/A00001.mat": b"\0" * 28,
        "REFERENCE-v3.csv": b"A00001,N\n",
        "sample/A00002.hea": b"not asked for",
        "training/../../A00003.hea": b"outside",
        "LICENSE.txt": b"not a record",
    }
    site = tmp_path / "site" / "challenge-2017" / "1.0.0"
    for name, body in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_bytes(body)
    sums = "".join(f"{hashlib.sha256(body).hexdigest()} {name}\n" for name, body in files.items())
    (site / "SHA256SUMS.txt").write_text(sums)
    monkeypatch.setenv("ECGSTREAM_DATA_DIR", str(tmp_path / "data"))
    with served(tmp_path / "site") as mirror:
        assert status_of(["data", "fetch", "challenge2017", "--mirror", mirror]) == 0
    folder = tmp_path / "data" / "challenge2017"
    assert {path.name for path in folder.iterdir()} == {
        "A00001.hea",
        "A00001.mat",
        "REFERENCE-v3.csv",
        "SHA256SUMS.txt",
    }
