"""TLS and SASL: on a real broker, and what is said when they are set up wrong."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr, ValidationError

import alerting.service
import detector.service
import web.service
from alerting.settings import AlertingSettings
from bus.broker import LocalBroker
from bus.broker_config import BrokerSecurity
from bus.clients import BrokerError, KafkaPublisher, KafkaReader, connection_arguments, create_topics
from bus.interfaces import Outgoing
from bus.messages import Verdict
from bus.settings import KafkaSettings
from bus.topics import DEAD_LETTERS, WINDOWS
from detector.settings import DetectorSettings
from ecg.wfdb_files import toy_record
from ecgstream.replaying import replay
from ecgstream.services import Service
from producer.settings import FaultSettings, ReplaySettings
from tests.support.waiting import DEADLINE_S, until
from web.settings import WebSettings

TLS = Path(__file__).parents[1] / "support" / "tls"
USER = {"sasl_username": "ward", "sasl_password": SecretStr("correct horse")}


def settings(**values: Any) -> KafkaSettings:
    return KafkaSettings(_env_file=None, **values)


@pytest.fixture(scope="module")
def secured() -> Iterator[KafkaSettings]:
    """A broker that wants a password over TLS; its topics do not exist yet."""
    security = BrokerSecurity(users={"ward": "correct horse"}, keystore=TLS / "broker.pem")
    with asyncio.Runner() as runner:  # the fixture outlives the loop of any one test
        broker = LocalBroker(security=security)
        runner.run(broker.__aenter__())
        try:
            yield settings(
                bootstrap_servers=broker.bootstrap, security_protocol="SASL_SSL", ssl_cafile=TLS / "ca.pem", **USER
            )
        finally:
            runner.run(broker.__aexit__())


@pytest.mark.broker
async def test_all_services_work_over_scram_and_tls(secured: KafkaSettings, tmp_path: Path) -> None:
    await create_topics(secured)
    stop, runners = asyncio.Event(), dict[str, Any]()
    history = AlertingSettings(_env_file=None, alarm_db=SecretStr(f"sqlite:///{tmp_path}/alarms.sqlite"))
    models = DetectorSettings(_env_file=None)
    page = WebSettings(_env_file=None, port=0, state=tmp_path / "web")
    replayed = ReplaySettings(_env_file=None, speed="20", duration_s=60)

    def service(name: str) -> dict[str, Any]:
        return {"registry": CollectorRegistry(), "on_start": lambda runner: runners.update({name: runner})}

    async def judged() -> list[Verdict]:
        async with KafkaReader(secured, [WINDOWS], start="beginning") as reader:
            found: list[Verdict] = []
            while len(found) < 12:
                found += [Verdict.model_validate_json(message.value or b"") for message in await reader.batch()]
            return found

    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        group.create_task(detector.service.run(secured, models, stop, **service("detector")))
        group.create_task(alerting.service.run(secured, history, stop, **service("alerting")))
        group.create_task(web.service.run(secured, page, models, history, stop, **service("web")))
        await replay(
            Service(asyncio.Event(), CollectorRegistry()),
            secured,
            replayed,
            FaultSettings(_env_file=None),
            records=[toy_record()],
            noise=None,
            progress=lambda _: None,
        )
        verdicts = await judged()
        await until(lambda: len(runners) == 3 and all(runner.ready for runner in runners.values()))
        assert runners["detector"].partitions == runners["alerting"].partitions == secured.partitions
        stop.set()
    assert [verdict.window for verdict in verdicts] == list(range(12))


@pytest.mark.broker
async def test_what_is_said_when_credentials_do_not_fit(secured: KafkaSettings) -> None:
    await create_topics(secured)
    async with KafkaPublisher(secured) as publisher:
        await publisher.send(Outgoing(topic=DEAD_LETTERS, key=b"p1", value=b"secret"))
    async with KafkaReader(secured, [DEAD_LETTERS], start="beginning") as reader:
        assert [message.value async for message in reader.to_end()] == [b"secret"]

    wrong_password = secured.model_copy(update={"sasl_password": SecretStr("wrong")})
    with pytest.raises(BrokerError, match="refuses the user 'ward' or the password") as caught:
        await create_topics(wrong_password)
    assert "wrong" not in str(caught.value)
    with pytest.raises(BrokerError, match="does not offer the SASL mechanism PLAIN"):
        await create_topics(secured.model_copy(update={"sasl_mechanism": "PLAIN"}))
    with pytest.raises(BrokerError, match="certificate is not trusted"):
        await create_topics(secured.model_copy(update={"ssl_cafile": TLS / "other-ca.pem"}))
    plain = secured.model_copy(update={"security_protocol": "PLAINTEXT", "connect_timeout_s": 1.0})
    with pytest.raises(BrokerError, match=f"no Kafka at {secured.bootstrap_servers}"):
        await create_topics(plain)


def test_plain_connections_take_nothing_but_addresses() -> None:
    assert connection_arguments(settings(bootstrap_servers="a:1, [::1]:2")) == {
        "bootstrap_servers": ["a:1", "[::1]:2"],
        "security_protocol": "PLAINTEXT",
    }


@pytest.mark.parametrize(
    "address", ["", "kafka", "kafka:", ":9092", "kafka:port", "kafka:0", "kafka:70000", "a:1,,b:2"]
)
def test_an_address_that_is_none_is_told(address: str) -> None:
    with pytest.raises(BrokerError, match="is not host:port: write it like"):
        connection_arguments(settings(bootstrap_servers=address))


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"ssl_cafile": "missing.pem"}, "ssl_cafile='.*missing.pem': No such file or directory: name a PEM file"),
        ({"ssl_cafile": "README.md"}, "ssl_cafile='.*README.md' cannot be used"),
        ({"ssl_certfile": "missing.pem"}, "ssl_certfile='.*missing.pem': No such file"),
        ({"ssl_certfile": "broker.pem", "ssl_keyfile": "missing.pem"}, "ssl_keyfile='.*missing.pem': No such file"),
        ({"ssl_certfile": "broker.pem", "ssl_keyfile": "ca.pem"}, "ssl_certfile='.*broker.pem' cannot be used"),
    ],
)
def test_a_tls_file_that_is_no_use_is_named(files: dict[str, str], says: str) -> None:
    paths = {setting: TLS / name for setting, name in files.items()}
    with pytest.raises(BrokerError, match=says):
        connection_arguments(settings(security_protocol="SSL", **paths))


def test_a_client_certificate_is_loaded() -> None:
    arguments = connection_arguments(
        settings(security_protocol="SSL", ssl_cafile=TLS / "ca.pem", ssl_certfile=TLS / "broker.pem")
    )
    assert arguments["ssl_context"].check_hostname
    assert len(arguments["ssl_context"].get_ca_certs()) >= 1


def test_sasl_without_a_password_is_refused() -> None:
    with pytest.raises(ValidationError, match="needs a name and a password"):
        settings(security_protocol="SASL_SSL", sasl_username="ward")


def test_a_password_is_not_shown() -> None:
    secured = settings(security_protocol="SASL_PLAINTEXT", **USER)
    assert "correct horse" not in repr(secured)
    assert connection_arguments(secured)["sasl_plain_password"] == "correct horse"
