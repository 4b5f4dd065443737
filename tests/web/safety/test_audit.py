"""The audit trail of reads: a line for each, and of nobody's who saw nothing."""

import asyncio
import json
import stat
from pathlib import Path
from typing import Any

import pytest
import websockets

from bus.testing import FakeClock
from ecg.errors import EcgStreamError
from tests.support.waiting import DEADLINE_S
from tests.web.parts import make_parts
from tests.web.safety.conftest import Serve
from tests.web.safety.keys import bearer
from tests.web.test_server import serving
from web.app import make_app
from web.safety.audit import AGAIN_S, OF_PATIENTS, AuditTrail

API = "/api/v1"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_a_read_is_written_with_who_and_whom(serve: Serve, tokens: Path, tmp_path: Path) -> None:
    trail = tmp_path / "kept" / "reads.jsonl"
    async with serve(tokens=tokens, audit_trail=trail) as client:
        assert (await client.get(f"{API}/patients", headers=bearer("viewer"))).status_code == 200
        verdicts = f"{API}/patients/bed-7/verdicts?from_ns=5&to_ns=5"
        assert (await client.get(verdicts, headers=bearer("responder"))).status_code == 200
    of_all, of_one = lines(trail)
    assert of_all.keys() == {"at", "who", "role", "from", "route", "patient"}
    assert (of_all["role"], of_all["route"], of_all["patient"]) == ("viewer", f"{API}/patients", None)
    assert (of_one["role"], of_one["route"], of_one["patient"]) == (
        "responder",
        f"{API}/patients/{{patient}}/verdicts",
        "bed-7",
    )
    assert stat.S_IMODE(trail.stat().st_mode) == 0o600


async def test_who_saw_nothing_is_not_in_it(serve: Serve, tokens: Path, tmp_path: Path) -> None:
    trail = tmp_path / "reads.jsonl"
    async with serve(tokens=tokens, audit_trail=trail) as client:
        assert (await client.get(f"{API}/patients")).status_code == 401
        assert (await client.get(f"{API}/patients/bed-7", headers=bearer("viewer"))).status_code == 404
        assert (await client.get(f"{API}/me", headers=bearer("viewer"))).status_code == 200
        assert (await client.get(f"{API}/health")).status_code == 200
    assert lines(trail) == []


async def test_the_same_read_stands_there_once_a_minute(
    serve: Serve, tokens: Path, tmp_path: Path, clock: FakeClock
) -> None:
    trail = tmp_path / "reads.jsonl"
    async with serve(tokens=tokens, audit_trail=trail) as client:
        for _ in range(3):
            await client.get(f"{API}/patients", headers=bearer("viewer"))
        await client.get(f"{API}/patients", headers=bearer("admin"))
        assert [line["role"] for line in lines(trail)] == ["viewer", "admin"]
        await clock.advance(AGAIN_S)
        await client.get(f"{API}/patients", headers=bearer("viewer"))
    assert [line["role"] for line in lines(trail)] == ["viewer", "admin", "viewer"]


async def test_a_websocket_says_whom_it_watches(tokens: Path, tmp_path: Path) -> None:
    trail = tmp_path / "reads.jsonl"
    async with (
        serving(tmp_path, tokens=tokens, audit_trail=trail) as port,
        websockets.connect(f"ws://127.0.0.1:{port}{API}/live", additional_headers=bearer("viewer")) as line,
    ):
        await line.send(json.dumps({"watch": {"patients": ["bed-8", "bed-7"]}}))
        await line.send(json.dumps({"watch": {"patients": None}}))
        await line.send(json.dumps({"no": "wish"}))
        async with asyncio.timeout(DEADLINE_S):
            while json.loads(await line.recv())["type"] != "error":  # answered when the others are done
                pass
    assert [(line["route"], line["patient"]) for line in lines(trail)] == [
        (f"{API}/live", patient) for patient in ("bed-7", "bed-8", None)
    ]


def test_every_subject_of_the_interface_is_audited_or_shows_no_patient(tmp_path: Path) -> None:
    paths = make_app(make_parts(tmp_path)).openapi()["paths"]
    subjects = {tag for methods in paths.values() for each in methods.values() for tag in each["tags"]}
    assert subjects == OF_PATIENTS | {"system", "session", "scoring"}, "say which of these it is"


def test_what_stands_there_stays_when_the_service_starts_again(tmp_path: Path) -> None:
    trail = tmp_path / "reads.jsonl"
    trail.write_text('{"before": true}\n')
    AuditTrail(trail, clock=FakeClock()).close()
    assert lines(trail) == [{"before": True}]


def test_a_file_that_cannot_be_written_ends_the_start(tmp_path: Path) -> None:
    with pytest.raises(EcgStreamError, match=r"ECGSTREAM_WEB_AUDIT_TRAIL=.*: Is a directory: name a file"):
        AuditTrail(tmp_path, clock=FakeClock())
