"""The whole system with TLS, passwords and least rights: it works as without, and nobody may do more than is listed."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.protocol.admin import CreateAclsRequest
from pydantic import SecretStr

from bus.access import Operation, Pattern, Resource, Right, access
from bus.access_admin import _acl, access_differences, apply_access
from bus.clients import BrokerError, KafkaReader, create_topics
from bus.messages import Alert, Verdict
from bus.settings import KafkaSettings
from bus.topic_admin import admin_of, cluster_id
from bus.topics import ALERTS, TOPICS, WINDOWS
from tests.deploy.attempts import attempts
from tests.deploy.monitors import Alertmanager, Prometheus
from tests.deploy.stack import PYTHON, Stack, stack
from tests.support.waiting import DEADLINE_S, until

pytestmark = pytest.mark.broker

PREFIX = "matrix."  # an installation of its own on the same broker: attempts write, and nobody reads that
NAMES = [topic.name for topic in TOPICS]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack(tmp_path_factory.mktemp("secure"), secure=True) as up:
        yield up


@pytest.fixture(scope="module")
def installation(running: Stack) -> KafkaSettings:
    """Settings of whoever may do all on an installation of its own; its users have their names as passwords."""
    made = running.administrator.model_copy(update={"topic_prefix": PREFIX})

    async def make() -> None:
        await create_topics(made)
        await apply_access(made, {user: user for user in access()})

    asyncio.run(make())
    return made


def as_user(running: Stack, user: str, password: str | None = None) -> KafkaSettings:
    word = user.removeprefix(PREFIX) if password is None else password
    return running.kafka.model_copy(update={"sasl_username": user, "sasl_password": SecretStr(word)})


def test_every_service_is_healthy(running: Stack) -> None:
    assert set(running.services) == {"detector", "alerting", "web", "gateway", "producer"}
    for service in running.services.values():
        assert service.check(service.spec["healthcheck"]["test"][1:]) == 0
        assert service.container.limit.kills == 0


async def test_verdicts_and_alarms_flow_to_who_may_read_them(running: Stack) -> None:
    async with KafkaReader(running.kafka, [WINDOWS, ALERTS], start="beginning") as reader:
        verdicts, alerts = list[Verdict](), list[Alert]()
        async with asyncio.timeout(DEADLINE_S):
            while len(verdicts) < 20 or not alerts:
                for message in await reader.batch():
                    if message.topic == WINDOWS:
                        verdicts.append(Verdict.model_validate_json(message.value or b""))
                    elif message.value:
                        alerts.append(Alert.model_validate_json(message.value))
    assert len({verdict.patient for verdict in verdicts}) == 2
    assert alerts[0].patient in {verdict.patient for verdict in verdicts}


@pytest.mark.parametrize("name", ["detector", "alerting", "web", "gateway", "producer"])
def test_the_doctor_finds_nothing_wrong_in_a_container(running: Stack, name: str) -> None:
    done = running.services[name].container.run(str(PYTHON), "-m", "ecgstream", "doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "java: none, and none is needed" in done.stdout


async def test_an_alarm_reaches_the_mail_catcher(running: Stack) -> None:
    await until(lambda: any("208-excerpt-" in subject for subject in running.mailbox.subjects()))


async def test_the_rights_on_the_broker_are_those_of_the_list(running: Stack) -> None:
    assert await access_differences(running.administrator) == ([], [])


@pytest.mark.usefixtures("installation")
async def test_each_user_reads_and_writes_its_own_topics_and_no_other(running: Stack) -> None:
    for user, may in access().items():
        async with attempts(as_user(running, PREFIX + user)) as tries:
            for name in NAMES:
                assert await tries.read(PREFIX + name) is (name in may.read), f"{user} reads {name}"
                assert await tries.write(PREFIX + name) is (name in may.write), f"{user} writes {name}"


@pytest.mark.usefixtures("installation")
async def test_each_user_joins_its_own_group_and_takes_its_own_transactional_ids(running: Stack) -> None:
    groups = {name for may in access().values() for name in may.groups}
    transactions = {name for may in access().values() for name in may.transactions}
    assert groups == {"detector", "alerting"}
    for user, may in access().items():
        async with attempts(as_user(running, PREFIX + user)) as tries:
            for name in groups:
                assert await tries.group(PREFIX + name) is (name in may.groups), f"{user} joins {name}"
            for name in transactions:
                assert await tries.transaction(f"{PREFIX}{name}0") is (name in may.transactions), f"{user} as {name}0"


@pytest.mark.usefixtures("installation")
async def test_the_users_of_one_installation_may_nothing_on_anothers_topics(running: Stack) -> None:
    async with attempts(as_user(running, f"{PREFIX}detector")) as tries:
        for name in NAMES:
            assert not await tries.read(name)
            assert not await tries.write(name)


@pytest.mark.usefixtures("installation")
@pytest.mark.parametrize("user", access())
async def test_no_user_makes_topics_or_rights(running: Stack, user: str) -> None:
    settings = as_user(running, PREFIX + user).model_copy(update={"topic_prefix": f"{PREFIX}more."})
    with pytest.raises(BrokerError):
        await create_topics(settings.model_copy(update={"connect_timeout_s": 2.0}))
    with pytest.raises(BrokerError, match="ClusterAuthorizationFailed"):
        await access_differences(settings)


async def test_a_right_beside_the_list_is_told_and_taken_away(running: Stack, installation: KafkaSettings) -> None:
    extra = Right(f"{PREFIX}producer", Resource.TOPIC, f"{PREFIX}{ALERTS}", Pattern.LITERAL, Operation.READ)
    async with admin_of(installation) as admin:
        assert (await admin._send_request(CreateAclsRequest(*_acl(extra)))).creation_responses[0][0] == 0
    assert await access_differences(installation) == ([], [extra])
    assert await apply_access(installation, {}) == ([], [extra])
    assert await access_differences(installation) == ([], [])
    async with attempts(as_user(running, f"{PREFIX}producer")) as tries:
        assert not await tries.read(f"{PREFIX}{ALERTS}")
    assert await access_differences(running.administrator) == ([], []), "another installation's are left alone"


async def test_whoever_has_no_password_or_no_certificate_is_not_let_in(running: Stack) -> None:
    with pytest.raises(BrokerError, match="refuses the user 'detector' or the password"):
        await cluster_id(as_user(running, "detector", "guessed"))
    quick = {"connect_timeout_s": 2.0}
    plain = running.kafka.model_copy(update={"security_protocol": "PLAINTEXT"} | quick)
    anonymous = running.administrator.model_copy(update={"ssl_certfile": None} | quick)
    for settings in (plain, anonymous):
        with pytest.raises(BrokerError, match="no Kafka at"):
            await cluster_id(settings)


def test_a_service_sees_its_own_secrets_alone(running: Stack) -> None:
    shown = running.services["detector"].container.run("ls", "/run/secrets").stdout.split()
    assert shown == ["ca.pem", "detector_password"]
    environment = Path(f"/proc/{running.services['web'].container.process.pid}/environ").read_bytes().decode()
    secrets = [file.read_text() for file in (running.folder / "secure").iterdir() if file.suffix != ".pem"]
    assert not [secret for secret in secrets if secret in environment]


def test_the_database_wants_its_password(running: Stack) -> None:
    where = f"postgresql://ecgstream:ecgstream@{running.network['postgres']}/alarms"
    tried = running.services["alerting"].container.run(
        str(PYTHON), "-c", f"import psycopg; psycopg.connect({where!r})", timeout_s=30
    )
    assert "password authentication failed" in tried.stderr


# The last ones: they kill services.
async def test_somebody_is_told_when_a_service_was_killed(running: Stack) -> None:
    with Alertmanager(running), Prometheus(running) as prometheus:
        await until(lambda: bool(prometheus.ask('up{job="producer"} == 1')))
        running.services.pop("producer").container.kill()
        await until(lambda: any("ServiceDown of producer" in subject for subject in running.mailbox.subjects()))


async def test_a_killed_detector_takes_its_work_up_again(running: Stack) -> None:
    running.services["detector"].container.close()
    running.start("detector")
    await until(running.services["detector"].healthy)
