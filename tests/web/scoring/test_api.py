"""Scoring as a client of the interface sees it."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from alerting.rules import load_rules
from detector.scorer import Scorer
from ecg.errors import EcgStreamError
from ecg.excerpts import EXCERPTS
from ecg.files import read_file
from ecg.wfdb_files import TOY_NAME, toy_record
from models import SHIPPED
from reports.scoring import score_file
from tests.support.waiting import until
from tests.web.scoring.conftest import UPLOAD_MB, Served
from tests.web.scoring.recordings import FS_HZ, csv, edf, millivolts, npy, wfdb_files, zipped
from web.scoring.answers import BeatsAnswer, Recording, RecordingStrip, ScoreAnswer

pytestmark = pytest.mark.asyncio(loop_scope="session")
EXTRA = {"recording", "report", "strip_url"}
BOUNDARY = b"----pieces"


def form(files: dict[str, bytes]) -> bytes:
    parts = [
        b'--%s\r\nContent-Disposition: form-data; name="files"; filename="%s"\r\n\r\n%s\r\n'
        % (BOUNDARY, name.encode(), content)
        for name, content in files.items()
    ]
    return b"".join([*parts, b"--%s--\r\n" % BOUNDARY])


async def pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]
        await asyncio.sleep(0)


async def send(served: Served, files: dict[str, bytes], **fields: object) -> httpx.Response:
    parts = [("files", (name, content)) for name, content in files.items()]
    return await served.client.post("/api/v1/score", files=parts, data={name: str(v) for name, v in fields.items()})


async def scored(served: Served, files: dict[str, bytes], **fields: object) -> list[dict[str, Any]]:
    answer = await send(served, files, **fields)
    assert answer.status_code == 200, answer.text
    ScoreAnswer.model_validate_json(answer.content)
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def problem(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["detail"])


@pytest.mark.parametrize("kind", ["npy", "csv", "edf", "wfdb", "zip"])
async def test_every_kind_of_file_gives_what_the_command_line_gives(served: Served, tmp_path: Path, kind: str) -> None:
    files = {
        "npy": {"r.npy": npy(millivolts())},
        "csv": {"r.csv": csv()},
        "edf": {"r.edf": edf()},
        "wfdb": wfdb_files(),
        "zip": wfdb_files(),
    }[kind]
    said = {"fs_hz": FS_HZ, "leads": "MLII, V5"} if kind == "npy" else {}
    sent = {"r.zip": zipped({f"deep/{name}": content for name, content in files.items()})} if kind == "zip" else files
    (result,) = await scored(served, sent, **said)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    path = tmp_path / ("r.hea" if kind in {"wfdb", "zip"} else f"r.{kind}")
    options: dict[str, Any] = {"fs_hz": float(FS_HZ), "leads": ("MLII", "V5")} if kind == "npy" else {}
    expected = score_file(path, Scorer(SHIPPED), load_rules(None), **options)
    expected["file"] = "r.zip/deep/r.hea" if kind == "zip" else path.name
    assert {name: value for name, value in result.items() if name not in EXTRA} == json.loads(json.dumps(expected))
    assert len(result["windows"]) == 6


async def test_good_files_are_scored_and_bad_ones_told(served: Served) -> None:
    first, second, third = await scored(served, {"a.csv": csv(10), "bad.edf": b"0" * 99, "b.edf": edf(10)})
    assert (first["file"], second["file"]) == ("a.csv", "b.edf")
    assert third["file"] == "bad.edf"
    assert third["error"]["status"] == 422


async def test_where_nothing_is_good_the_answer_is_a_problem(served: Served) -> None:
    detail = problem(await send(served, {"a.csv": b"", "b.png": b"\x89PNG"}), 422)
    assert "a.csv is empty" in detail
    assert "b.png" in detail
    assert not list((served.state / "incoming").iterdir())


async def test_what_cannot_be_judged_is_told_as_the_command_line_tells_it(served: Served, tmp_path: Path) -> None:
    table = b"\n".join(b",".join([b"0.5"] * 188) for _ in range(40))
    short = b"\n".join(csv(10).splitlines()[:50])
    for name, content, complaint in (
        ("short.csv", short, "is shorter than one window of 5 s"),
        ("table.csv", table, "188 columns are no leads"),
    ):
        detail = problem(await send(served, {name: content}, fs_hz=FS_HZ), 422)
        assert complaint in detail
        (tmp_path / name).write_bytes(content)
        with pytest.raises(EcgStreamError, match=re.escape(detail)):
            score_file(tmp_path / name, Scorer(SHIPPED), load_rules(None), fs_hz=float(FS_HZ))
    good, bad = await scored(served, {"short.csv": short, "a.csv": csv(10)}, fs_hz=FS_HZ)
    assert good["aggregate"]["reason"]
    assert "is shorter than one window" in bad["error"]["detail"]


async def test_windows_of_one_array_are_judged_each_on_its_own(served: Served) -> None:
    rows = millivolts()[:, 0].reshape(2, 15 * FS_HZ, 1)
    (result,) = await scored(served, {"rows.npy": npy(rows)}, fs_hz=FS_HZ, leads="MLII")
    assert [row["row"] for row in result["rows"]] == [0, 1]
    assert [window["row"] for window in result["windows"]] == [0, 0, 0, 1, 1, 1]
    strip = await served.client.get(result["strip_url"], params={"at_s": result["rows"][1]["start_s"], "seconds": 15})
    found = RecordingStrip.model_validate_json(strip.content)
    assert found.samples[0][0] is not None
    assert None not in {row[0] for row in found.samples}


async def test_a_recording_is_kept_told_about_reported_on_and_deleted(served: Served) -> None:
    person = {"age": 61, "sex": "female", "symptoms": "palpitations <script>alert(1)</script>"}
    (result,) = await scored(served, wfdb_files(), questionnaire=json.dumps(person))
    address = f"/api/v1/recordings/{result['recording']}"
    found = Recording.model_validate_json((await served.client.get(address)).content)
    assert (found.name, found.owner, found.result.recording) == ("r.hea", "local", result["recording"])
    assert found.questionnaire is not None
    assert found.questionnaire.age == 61
    listed = (await served.client.get("/api/v1/recordings")).json()["recordings"]
    assert listed[0]["id"] == result["recording"]

    page = await served.client.get(result["report"])
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "script-src" not in policy
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert policy.endswith("sandbox")
    for text in ("61 years", "palpitations &lt;script&gt;", "Beats annotated", "Not a medical device"):
        assert text in page.text
    assert "<script" not in page.text
    assert (await served.client.get(f"{address}/report.pdf")).content.startswith(b"%PDF")

    assert (await served.client.put(f"{address}/questionnaire", json={"age": 62})).status_code == 204
    assert problem(await served.client.put(f"{address}/questionnaire", json={"age": 200}), 422).startswith("body.age")
    again = (await served.client.get(result["report"])).text
    assert "62 years" in again
    assert "palpitations" not in again

    folder = served.state / "recordings" / result["recording"]
    assert len(list(folder.glob("report-*.html"))) == 1
    assert (await served.client.delete(address)).status_code == 204
    assert not folder.exists()
    for path in ("", "/report", "/strip", "/report.pdf"):
        problem(await served.client.get(address + path), 404)


@pytest.mark.parametrize(("form", "magic"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<svg")])
async def test_a_strip_is_drawn(served: Served, form: str, magic: bytes) -> None:
    (result,) = await scored(served, {"a.csv": csv(10)})
    drawn = await served.client.get(result["strip_url"], params={"at_s": 2, "seconds": 5, "format": form})
    assert drawn.content.startswith(magic)
    assert problem(await served.client.get(result["strip_url"], params={"at_s": 99, "format": form}), 422).startswith(
        "samples of shape (0, 2)"
    )


async def test_the_numbers_of_a_strip_are_those_of_the_file(served: Served, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(csv(10))
    (result,) = await scored(served, {"a.csv": csv(10)})
    shown = (await served.client.get(result["strip_url"], params={"at_s": 2, "seconds": 3})).json()
    expected = read_file(tmp_path / "a.csv").samples[2 * FS_HZ : 5 * FS_HZ]
    np.testing.assert_array_equal(np.array(shown["samples"]), expected)
    beyond = (await served.client.get(result["strip_url"], params={"at_s": 99})).json()
    assert beyond["samples"] == []


@pytest.mark.parametrize(
    ("content", "headers", "status", "detail"),
    [
        (b"", {}, 415, "multipart/form-data"),
        (b"{}", {"Content-Type": "application/json"}, 415, "multipart/form-data"),
        (b"--x\r\n", {"Content-Type": "multipart/form-data; boundary=x"}, 400, "breaks off"),
        (b"nonsense", {"Content-Type": "multipart/form-data; boundary=x"}, 400, "damaged"),
        (b"--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"}, 422, "no file came"),
        (
            b'--x\r\nContent-Disposition: form-data; name="other"; filename="a"\r\n\r\n1\r\n--x--\r\n',
            {"Content-Type": "multipart/form-data; boundary=x"},
            422,
            "in another field",
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="fs"\r\n\r\n1\r\n--x--\r\n',
            {"Content-Type": "multipart/form-data; boundary=x"},
            422,
            "'fs' is not known",
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="unit"\r\n\r\nmV\r\n--x--\r\n',
            {"Content-Type": "multipart/form-data; boundary=x"},
            422,
            "no file came",
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="leads"\r\n\r\n' + b"a" * 70_000 + b"\r\n--x--\r\n",
            {"Content-Type": "multipart/form-data; boundary=x"},
            413,
            "longer than 64000 bytes",
        ),
        (
            b"\x1f\x8b",
            {"Content-Type": "multipart/form-data; boundary=x", "Content-Encoding": "gzip"},
            415,
            "packed with 'gzip' (Content-Encoding): send it as it is",
        ),
    ],
)
async def test_forms_that_are_none(
    served: Served, content: bytes, headers: dict[str, str], status: int, detail: str
) -> None:
    answer = await served.client.post("/api/v1/score", content=content, headers=headers)
    assert detail in problem(answer, status)
    assert not list((served.state / "incoming").iterdir())


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"fs_hz": "fast"}, "fs_hz: Input should be a valid number"),
        ({"fs_hz": "inf"}, "fs_hz"),
        ({"unit": "mmHg"}, "unit"),
        ({"questionnaire": "{"}, "questionnaire: Invalid JSON"),
        ({"questionnaire": '{"age": -1}'}, "questionnaire.age"),
        ({"questionnaire": '{"name": "Anna"}'}, "questionnaire.name"),
    ],
)
async def test_fields_that_say_nothing_are_refused(served: Served, fields: dict[str, str], detail: str) -> None:
    assert problem(await send(served, {"a.npy": npy(millivolts(10))}, **fields), 422).startswith(detail)


async def test_a_request_that_is_too_large_is_refused(served: Served) -> None:
    answer = await served.near.post("/api/v1/score", files=[("files", ("a.npy", b"\0" * 4_100_000))])
    assert "larger than 4 MB" in problem(answer, 413)
    assert not list((served.state / "incoming").iterdir())


async def test_a_full_disk_is_told(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.scoring.store.LEAST_FREE_MB", 10**12)
    assert "disk of the service is full" in problem(await send(served, {"a.csv": csv(10)}), 507)


async def test_other_requests_are_answered_while_a_file_is_scored(served: Served) -> None:
    half_hour = npy(np.tile(toy_record().samples[:, 0], 6).astype(np.int16))
    scoring = asyncio.create_task(send(served, {"half_hour.npy": half_hour}, fs_hz=FS_HZ, unit="adc"))
    await until(lambda: len(served.scoring.workers._running) > 0 or scoring.done())
    for _ in range(3):
        assert (await served.client.get("/api/v1/health")).status_code == 200
    assert not scoring.done(), "they waited for the file"
    assert (await scoring).status_code == 200


async def test_single_beats_as_json_and_as_files(served: Served) -> None:
    beats = [(np.sin(np.arange(140) / 9) * n).tolist() for n in (1, 2)]
    as_json = await served.client.post("/api/v1/score/beats", json={"beats": beats})
    judged = BeatsAnswer.model_validate_json(as_json.content)
    assert len(judged.beats) == 2
    for beat in judged.beats:
        assert sum(beat.probabilities.values()) == pytest.approx(1, abs=1e-3)
        assert beat.class_ in beat.probabilities
        assert len(beat.samples) == 140
    rows = np.array(beats)
    for name, content in {
        "a.npy": npy(rows),
        "a.csv": "\n".join(",".join(f"{v:.17g}" for v in row) for row in rows).encode(),
        "ucr.tsv": "\n".join("\t".join(["3", *(f"{v:.17g}" for v in row)]) for row in rows).encode(),
        "a.json": json.dumps(beats).encode(),
    }.items():
        answer = await served.client.post("/api/v1/score/beats", files=[("files", (name, content))])
        found = BeatsAnswer.model_validate_json(answer.content).beats
        assert [beat.error for beat in found] == [beat.error for beat in judged.beats], name
        assert {beat.annotated for beat in found} == ({"ventricular"} if name == "ucr.tsv" else {None})


@pytest.mark.parametrize(
    ("name", "content", "detail"),
    [
        ("a.npy", npy(np.zeros((2, 139))), "has the shape (2, 139)"),
        ("a.npy", npy(np.zeros((2, 140))), "beat 0 (of 2, from 0) is a flat line"),
        ("a.npy", npy(np.full((1, 140), np.nan)), "missing sample"),
        ("a.npy", npy(np.zeros((5001, 140), np.int8)), "5001 beats are outside"),
        ("a.csv", b"a,b\n1,2\n", "something else than rows of 2 numbers"),
        ("a.tsv", b"9\t" + b"\t".join(b"%d" % n for n in range(140)), "not a class from 1 to 5"),
        ("a.json", b'{"beats": "many"}', "no JSON of beats"),
        ("a.json", b"[" * 100_000, "no JSON of beats"),
        ("a.edf", b"0       ", "beats are read from"),
    ],
)
async def test_what_is_no_beat_is_refused(served: Served, name: str, content: bytes, detail: str) -> None:
    answer = await served.client.post("/api/v1/score/beats", files=[("files", (name, content))])
    assert detail in problem(answer, 422)


async def test_samples_to_try(served: Served) -> None:
    listed = (await served.client.get("/api/v1/samples")).json()
    assert [sample["name"] for sample in listed["samples"]] == list(EXCERPTS)
    assert listed["samples"][1] == {"name": "119-excerpt", "label": "119-excerpt: ventricular beats", "kind": "record"}
    assert listed["missing"].endswith("run 'ecgstream data fetch'")
    answer = await served.client.post(f"/api/v1/samples/{TOY_NAME}/score", params={"start_s": 60, "seconds": 20})
    (result,) = ScoreAnswer.model_validate_json(answer.content).model_dump()["results"]
    assert (result["file"], result["seconds"], len(result["windows"])) == (TOY_NAME, 20.0, 4)
    assert "start_s=400" in problem(
        await served.client.post(f"/api/v1/samples/{TOY_NAME}/score", params={"start_s": 400}), 422
    )
    for name in ("ecg5000", "100", "..%2F..%2Fetc"):
        problem(await served.client.post(f"/api/v1/samples/{name}/score"), 404)


async def test_a_recording_in_pieces(served: Served) -> None:
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}"}
    answer = await served.client.post("/api/v1/score", content=pieces(form(wfdb_files()), 1000), headers=headers)
    (result,) = answer.json()["results"]
    assert (result["file"], len(result["windows"])) == ("r.hea", 6)
    # Whoever says nothing of the length is counted all the same.
    large = pieces(form({"a.csv": b"0" * (UPLOAD_MB + 1) * 1_000_000}), 50_000)
    refused = await served.near.post("/api/v1/score", content=large, headers=headers)
    assert f"larger than {UPLOAD_MB} MB" in problem(refused, 413)
    await until(lambda: not list((served.state / "incoming").iterdir()))
