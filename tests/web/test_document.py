"""The OpenAPI document holds for a service at work: schemathesis asks what no person would."""

import asyncio
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.errors
import pytest
import schemathesis
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from alerting.database.engine import address as database
from alerting.history.store import AlarmStore
from bus import topics
from bus.clients import KafkaPublisher, create_topics
from bus.interfaces import Outgoing
from bus.settings import KafkaSettings
from tests.alerting.alerts import alert
from tests.alerting.history.entries import ALERTS, stream
from tests.alerting.verdicts import verdict
from tests.web.safety.keys import bearer, write_tokens
from tests.web.serving import serving
from web.safety.paths import API

pytestmark = [
    pytest.mark.broker,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the libraries that schemathesis stands on
]
BUDGETS = ("reads_per_minute", "commands_per_minute", "scores_per_minute", "failed_sign_ins_per_minute")
EXAMPLES = 6
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    ignored_auth,
    unsupported_method,
]


async def furnish(kafka: KafkaSettings, folder: Path) -> None:
    """Topics and an alarm history with a patient who has a verdict and alarms."""
    await create_topics(kafka)
    judged, alarm = verdict(3, "abnormal"), alert()
    async with KafkaPublisher(kafka) as publisher:
        for topic, key, message in ((topics.WINDOWS, judged.patient, judged), (topics.ALERTS, alarm.id, alarm)):
            await publisher.send(Outgoing(topic=topic, key=key.encode(), value=message.to_bytes()))
    history = AlarmStore(database(f"sqlite:///{folder / 'alarms.sqlite'}"), cluster="test")
    history.open()
    history.record(stream()[ALERTS])
    history.close()


@pytest.fixture(scope="module")
def address(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service at work, in a thread of its own: schemathesis waits for its answers."""
    folder = tmp_path_factory.mktemp("document")
    settings = KafkaSettings(
        _env_file=None, bootstrap_servers=kafka, topic_prefix=f"test-{uuid.uuid4().hex[:12]}.", partitions=1
    )
    much: dict[str, Any] = dict.fromkeys(BUDGETS, 1_000_000)  # what is tried here is not how much one may ask for
    found: Future[str] = Future()
    stop = asyncio.Event()

    async def work() -> None:
        try:
            await furnish(settings, folder)
            tokens = write_tokens(folder / "tokens.toml")
            async with serving(settings, folder, tokens=tokens, data_dir=folder / "data", **much) as where:
                found.set_result(where)
                await stop.wait()
        except BaseException as error:
            if not found.done():
                found.set_exception(error)
            raise

    with asyncio.Runner() as runner, ThreadPoolExecutor(1) as threads:
        working = threads.submit(runner.run, work())
        yield f"http://{found.result(60)}"
        runner.get_loop().call_soon_threadsafe(stop.set)
        working.result(60)


@pytest.fixture(scope="module")
def document(address: str) -> Any:
    # Who asks is no part of what is tried: every request bears a token, but for those of the check of just that.
    generation = GenerationConfig(with_security_parameters=False)
    config = SchemathesisConfig(projects=ProjectsConfig(default=ProjectConfig(generation=generation)))
    return schemathesis.openapi.from_url(f"{address}{API}/openapi.json", config=config)


@pytest.mark.parametrize("mode", GenerationMode)
def test_the_service_answers_as_its_document_says(document: Any, mode: GenerationMode) -> None:
    failures = []
    for found in document.get_all_operations():
        operation = found.ok()
        if operation.path == f"{API}/events":  # they have no end: tests/web/live asks for them
            continue

        @hypothesis.settings(
            derandomize=True,
            max_examples=EXAMPLES,
            database=None,
            deadline=None,
            suppress_health_check=list(hypothesis.HealthCheck),
            phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
        )
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case[Any]) -> None:
            if mode is GenerationMode.POSITIVE and "patient" in case.path_parameters:
                case.path_parameters["patient"] = "p1"  # who is there: the answer says more than that nobody is
            case.call_and_validate(headers=bearer("admin"), checks=CHECKS, timeout=60)

        try:
            ask()
        except hypothesis.errors.Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE, operation.label  # where nothing is sent nothing can be wrong
        except (AssertionError, FailureGroup) as error:
            failures.append(f"{operation.label}: {error!r}\n{getattr(error, 'exceptions', '')}")
    assert not failures, "\n\n".join(failures)
