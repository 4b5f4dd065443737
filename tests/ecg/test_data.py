import hashlib
import http.server
import io
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina

from ecg.data import DATABASES, SUMS, Progress, check, data_directory, fetch
from ecg.errors import EcgStreamError


class Site:
    """A web server with a few files that can misbehave, and what it was asked."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cuts: dict[str, list[int]] = {}  # after how many bytes to cut the next answers
        self.statuses: dict[str, list[int]] = {}  # what to answer first
        self.ranges = True
        self.asked: list[tuple[str, str | None]] = []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range")
        self.asked.append((request.path, asked))
        if self.statuses.get(request.path):
            request.send_error(self.statuses[request.path].pop(0))
            return
        body = self.files.get(request.path)
        if body is None:
            request.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.ranges else 0
        if start >= len(body) and start:
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{len(body)}")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        request.send_header("Content-Length", str(len(body) - start))
        request.end_headers()
        cut = self.cuts.get(request.path, [])
        request.wfile.write(body[start : start + cut.pop(0)] if cut else body[start:])
        request.close_connection = True

    def publish(self, files: dict[str, bytes], *, folder: str = "/mitdb/1.0.0") -> None:
        self.files |= {f"{folder}/{name}": body for name, body in files.items()}
        lines = [f"{hashlib.sha256(body).hexdigest()} {name}" for name, body in files.items()]
        self.files[f"{folder}/{SUMS}"] = ("\n".join(lines) + "\n").encode()

    def asked_for(self, name: str) -> list[str | None]:
        return [range_ for path, range_ in self.asked if path.endswith(name)]


@pytest.fixture
def site() -> Iterator[Site]:
    stamina.set_testing(True, attempts=6)
    served = Site()
    thread = threading.Thread(target=served.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    served.server.shutdown()
    thread.join()
    served.server.server_close()
    stamina.set_testing(False)


RECORD = {"RECORDS": b"100\n", "100.hea": b"100 1 360 9\n", "100.dat": bytes(range(250)) * 900, "100.atr": b"\0\0"}


def test_a_database_comes_whole_and_only_its_recordings(site: Site, tmp_path: Path) -> None:
    site.publish({**RECORD, "x_mitdb/100.dat": b"x", "../100.dat": b"x", "index.html": b"x"})
    seen: list[Progress] = []
    fetch(["mitdb"], tmp_path, base_url=site.url, progress=seen.append)
    assert {path.name: path.read_bytes() for path in (tmp_path / "mitdb").iterdir() if path.name != SUMS} == RECORD
    assert not (tmp_path / "100.dat").exists()
    assert (seen[-1].done, seen[-1].total) == (4, 4)
    assert [state.file_bytes for state in seen if state.file == "100.dat"][-1] == 225_000


def test_what_is_there_and_whole_is_not_fetched_again(site: Site, tmp_path: Path) -> None:
    site.publish(RECORD)
    fetch(["mitdb"], tmp_path, base_url=site.url)
    (tmp_path / "mitdb" / "100.hea").write_bytes(b"damaged")
    site.asked.clear()
    fetch(["mitdb"], tmp_path, base_url=site.url)
    assert [path.rpartition("/")[2] for path, _ in site.asked] == [SUMS, "100.hea"]
    assert (tmp_path / "mitdb" / "100.hea").read_bytes() == RECORD["100.hea"]


def test_a_cut_connection_goes_on_where_it_stopped(site: Site, tmp_path: Path) -> None:
    site.publish(RECORD)
    site.cuts["/mitdb/1.0.0/100.dat"] = [2 * 65_536 + 9, 65_536]
    fetch(["mitdb"], tmp_path, base_url=site.url)
    assert (tmp_path / "mitdb" / "100.dat").read_bytes() == RECORD["100.dat"]
    assert site.asked_for("100.dat") == [None, "bytes=131072-", "bytes=196608-"]


def test_a_later_run_goes_on_where_an_earlier_one_stopped(site: Site, tmp_path: Path) -> None:
    site.publish(RECORD)
    (tmp_path / "mitdb").mkdir()
    (tmp_path / "mitdb" / "100.dat.part").write_bytes(RECORD["100.dat"][:1000])
    fetch(["mitdb"], tmp_path, base_url=site.url)
    assert site.asked_for("100.dat") == ["bytes=1000-"]
    assert (tmp_path / "mitdb" / "100.dat").read_bytes() == RECORD["100.dat"]


@pytest.mark.parametrize("part", [RECORD["100.dat"], b"another file", RECORD["100.dat"] + b"more"])
def test_a_whole_or_foreign_part_ends_in_the_right_file(site: Site, tmp_path: Path, part: bytes) -> None:
    site.publish(RECORD)
    (tmp_path / "mitdb").mkdir()
    (tmp_path / "mitdb" / "100.dat.part").write_bytes(part)
    fetch(["mitdb"], tmp_path, base_url=site.url)
    assert (tmp_path / "mitdb" / "100.dat").read_bytes() == RECORD["100.dat"]
    assert not list(tmp_path.rglob("*.part"))


def test_a_server_that_cannot_resume_gives_the_file_from_the_start(site: Site, tmp_path: Path) -> None:
    site.publish(RECORD)
    site.ranges = False
    site.cuts["/mitdb/1.0.0/100.dat"] = [100_000]
    fetch(["mitdb"], tmp_path, base_url=site.url)
    assert (tmp_path / "mitdb" / "100.dat").read_bytes() == RECORD["100.dat"]


def test_passing_faults_of_the_server_are_waited_out(site: Site, tmp_path: Path) -> None:
    site.publish(RECORD)
    site.statuses["/mitdb/1.0.0/100.hea"] = [503, 429, 500]
    fetch(["mitdb"], tmp_path, base_url=site.url)
    assert len(site.asked_for("100.hea")) == 4


def test_a_wrong_hash_is_refused_and_nothing_left_behind(site: Site, tmp_path: Path) -> None:
    site.publish(RECORD)
    site.files["/mitdb/1.0.0/100.dat"] = b"tampered"
    with pytest.raises(EcgStreamError, match=r"SHA-256 is not the published"):
        fetch(["mitdb"], tmp_path, base_url=site.url)
    assert not list(tmp_path.rglob("100.dat*"))


def test_a_file_that_is_not_there_is_not_asked_for_again(site: Site, tmp_path: Path) -> None:
    site.publish(RECORD)
    del site.files["/mitdb/1.0.0/100.dat"]
    with pytest.raises(EcgStreamError, match=r"100\.dat answers 404"):
        fetch(["mitdb"], tmp_path, base_url=site.url)
    assert len(site.asked_for("100.dat")) == 1


def test_a_server_that_is_not_there(tmp_path: Path, site: Site) -> None:
    with pytest.raises(EcgStreamError, match="could not be fetched in 6 attempts"):
        fetch(["nstdb"], tmp_path, base_url="http://127.0.0.1:9")
    assert site.asked == []


def test_names_and_folders_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(EcgStreamError, match="database 'mit' is not known: choose of mitdb, svdb, vfdb"):
        fetch(["mit"], tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(EcgStreamError, match="cannot be made"):
        fetch(["mitdb"], tmp_path / "file")


def archive(rows: dict[str, int]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as opened:
        for table, count in rows.items():
            opened.writestr(f"{table}.txt", "\n".join("  1.0" + "  0.25" * 140 for _ in range(count)))
    return held.getvalue()


def test_ecg5000_comes_as_two_tables(site: Site, tmp_path: Path) -> None:
    site.files["/e.zip"] = archive({"ECG5000_TRAIN": 500, "ECG5000_TEST": 4500})
    fetch(["ecg5000"], tmp_path, ecg5000_url=f"{site.url}/e.zip")
    lines = (tmp_path / "ecg5000" / "ECG5000_TRAIN.tsv").read_text().splitlines()
    assert (len(lines), lines[0].split("\t")[:2]) == (500, ["1", "0.25"])
    fetch(["ecg5000"], tmp_path, ecg5000_url=f"{site.url}/e.zip")
    assert len(site.asked) == 1


@pytest.mark.parametrize("body", [b"no archive", archive({"ECG5000_TRAIN": 3, "ECG5000_TEST": 3}), archive({})])
def test_an_archive_that_is_not_ecg5000_is_refused(site: Site, tmp_path: Path, body: bytes) -> None:
    site.files["/e.zip"] = body
    with pytest.raises(EcgStreamError, match="check the address"):
        fetch(["ecg5000"], tmp_path, ecg5000_url=f"{site.url}/e.zip")


def test_check_says_what_is_there_and_what_is_damaged(site: Site, tmp_path: Path) -> None:
    assert [(state.records, state.complete) for state in check(tmp_path)] == [(0, False)] * len(DATABASES)
    site.publish(RECORD)
    fetch(["mitdb"], tmp_path, base_url=site.url)
    (tmp_path / "mitdb" / "101.hea").write_text("101 1 360 9\n")
    (tmp_path / "mitdb" / "100.dat").write_bytes(b"rotten")
    mitdb = check(tmp_path)[0]
    assert (mitdb.records, mitdb.expected, mitdb.damaged) == (1, 48, ("100.dat", "101.hea"))


@pytest.mark.data("mitdb", "nstdb", "ecg5000")
def test_the_recordings_of_this_machine_are_whole() -> None:
    states = {state.name: state for state in check(data_directory())}
    assert states["mitdb"].complete
    assert states["ecg5000"].complete


def test_where_the_data_directory_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ECGSTREAM_DATA_DIR", "/b")
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    assert data_directory(tmp_path) == tmp_path
    assert data_directory() == Path("/b")
    monkeypatch.delenv("ECGSTREAM_DATA_DIR")
    assert data_directory() == Path("/c/ecgstream")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert data_directory() == Path.home() / ".cache" / "ecgstream"
