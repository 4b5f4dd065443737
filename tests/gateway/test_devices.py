import asyncio
from pathlib import Path

import httpx
import pytest
import structlog
from prometheus_client import CollectorRegistry

from bus.settings import KafkaSettings
from ecg.errors import EcgStreamError
from gateway import service
from gateway.devices import TABLE, Device, read_devices
from gateway.refusals import RefusedError
from gateway.senders import Senders
from gateway.settings import GatewaySettings
from ops.clock import SystemClock
from ops.ports import free_ports
from ops.tokens import Tokens, TokensError, hash_of
from tests.ecgstream.commands import status_of
from tests.gateway.serving import TOKENS, write_devices
from tests.support.waiting import DEADLINE_S, until

SETTINGS = GatewaySettings(_env_file=None, start_token=True)


def device(*patients: str) -> Device:
    return Device(name="d", sha256=hash_of("t"), patients=list(patients))


def test_a_device_sends_for_its_patients_alone() -> None:
    one, ward = device("p1"), device("ward-3.*")
    assert [one.may_send_for(patient) for patient in ("p1", "p11", "p", "")] == [True, False, False, False]
    assert [ward.may_send_for(patient) for patient in ("ward-3.bed1", "ward-3", "ward-33.bed1")] == [True, False, False]


@pytest.mark.parametrize("patient", ["", "a b", "a*b", "**", "x" * 129, "ä"])
def test_a_patient_that_cannot_be_is_refused(patient: str) -> None:
    with pytest.raises(ValueError, match="patients"):
        device(patient)


def test_the_command_makes_a_token_with_its_entry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["device-token", 'holter "7"', "--patient", "p1", "--patient", "ward-*"]) == 0
    said = capsys.readouterr().out
    path = tmp_path / "devices.toml"
    path.write_text(said[said.index(f"[[{TABLE}]]") :])
    path.chmod(0o600)
    token = next(word for word in said.split() if word.startswith("ecgs_"))
    found = read_devices(path).find(token, now_ns=0)
    assert found is not None
    assert (found.name, found.patients) == ('holter "7"', ["p1", "ward-*"])


@pytest.mark.parametrize("arguments", [["d", "--patient", "a b"], ["", "--patient", "p"], ["d"]])
def test_a_name_or_patient_that_cannot_be_is_wrong_usage(arguments: list[str]) -> None:
    assert status_of(["device-token", *arguments]) == 2


@pytest.mark.parametrize(
    ("text", "said"), [("", "list of tables"), ("[[token]]\nname='a'", "no table"), ("[[device]]\nname='a'", "sha256")]
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "devices.toml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(TokensError, match=said):
        read_devices(path)


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer nothing", f"Basic {TOKENS['holter']}"])
def test_nobody_comes_in_without_a_token(tmp_path: Path, authorization: str | None) -> None:
    senders = Senders(
        read_devices(write_devices(tmp_path / "d.toml")),
        GatewaySettings(_env_file=None, start_token=True),
        clock=SystemClock(),
    )
    with pytest.raises(RefusedError, match="device-token"):
        senders.enter(authorization=authorization)


def test_a_device_has_one_budget_however_often_it_comes() -> None:
    senders = Senders(Tokens([device("p1")]), SETTINGS, clock=SystemClock())
    one, other = (senders.enter(authorization="Bearer t") for _ in range(2))
    assert one.budget is other.budget
    assert senders.enter(authorization=None, subprotocols=("ecgstream.v1", "token.t")).budget is one.budget


async def test_a_gateway_has_a_file_of_devices_or_draws_a_token(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leave it out beside"):
        GatewaySettings(_env_file=None, start_token=True, devices=tmp_path / "devices.toml")
    nobody = GatewaySettings(_env_file=None)
    with pytest.raises(EcgStreamError, match="ECGSTREAM_GATEWAY_START_TOKEN=true"):
        await service.run(KafkaSettings(_env_file=None), nobody, asyncio.Event(), registry=CollectorRegistry())


@pytest.mark.broker
async def test_a_token_that_was_drawn_at_the_start_stands_in_the_log_and_lets_in(settings: KafkaSettings) -> None:
    stop, (port,) = asyncio.Event(), free_ports(1)
    configured = GatewaySettings(_env_file=None, start_token=True, port=port)
    with structlog.testing.capture_logs() as logs:
        async with asyncio.TaskGroup() as group:
            group.create_task(service.run(settings, configured, stop, registry=CollectorRegistry()))
            await until(lambda: any(line["event"] == "gateway" for line in logs))
            token = next(line["token"] for line in logs if line["event"] == "gateway_start_token")
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/v1", timeout=DEADLINE_S) as http:
                known = await http.get("/patients/anybody", headers={"Authorization": f"Bearer {token}"})
                unknown = await http.get("/patients/anybody")
            stop.set()
    assert (known.status_code, known.json()["next_index"], unknown.status_code) == (200, None, 401)
