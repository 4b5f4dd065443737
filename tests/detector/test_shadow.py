"""Models in the shadow, over messages, without a broker: the shipped verdicts are not touched, whatever they do."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from bus import topics
from bus.interfaces import Outgoing
from bus.messages import Verdict
from bus.testing import FakeClock, MemoryBus, MemoryProgressStore
from detector.due import StreamId
from detector.manifest import ModelError
from detector.metrics import DetectorMetrics
from detector.networks import NetworkOutputs
from detector.offline import judge_record, verdicts_in
from detector.publishing import SHADOW_HEADER
from detector.scorer import Scorer, open_networks
from detector.sessions import time_limit
from detector.settings import DetectorSettings
from detector.shadow import FIRST_PAUSE_S, Shadow, open_shadow
from detector.transform import DetectorTransform
from ecg.leads import MODEL_LEADS
from ecg.records import Float32Array, Record
from ecg.segments import MODEL_SAMPLES
from models import SHIPPED
from tests.detector.streams import START_NS
from tests.detector.test_transform import stream_of
from tests.support.own_models import write_model

SECONDS = 90
BATCH = 64  # messages of a quarter of a second


class Failing(Scorer):
    """Models that fail at run time now and then."""

    calls = 0

    def _outputs(self, inputs: Float32Array) -> NetworkOutputs:
        self.calls += 1
        if self.calls % 2:
            raise RuntimeError("out of memory")
        return super()._outputs(inputs)


def transform_of(scorer: Scorer, shadow: Shadow | None, metrics: DetectorMetrics) -> DetectorTransform:
    transform = DetectorTransform(
        scorer,
        silent_s=60,
        forget_s=3600,
        store=MemoryProgressStore(MemoryBus(partitions=1), topics.DETECTOR_PROGRESS),
        partitions=1,
        shadow=shadow,
        metrics=metrics,
        clock=FakeClock(),
    )
    transform.open(0, {})
    return transform


async def outputs_of(
    scorer: Scorer, record: Record, *, shadow: Scorer | None = None, registry: CollectorRegistry | None = None
) -> list[Outgoing]:
    metrics = DetectorMetrics(registry or CollectorRegistry())
    transform = transform_of(scorer, None if shadow is None else Shadow(shadow, metrics, FakeClock()), metrics)
    messages = stream_of(record, "p1", SECONDS)
    outputs: list[Outgoing] = []
    for first in range(0, len(messages), BATCH):
        outputs.extend((await transform.process({0: messages[first : first + BATCH]}))[0])
    transform.shut_down()
    return outputs


def shipped_and_shadowed(outputs: list[Outgoing]) -> tuple[list[Outgoing], list[Outgoing]]:
    shadowed = [message for message in outputs if message.topic == topics.SHADOW_WINDOWS]
    return [message for message in outputs if message.topic != topics.SHADOW_WINDOWS], shadowed


@pytest.mark.parametrize("kind", ["own", "shipped", "failing"])
async def test_what_is_shipped_stays_byte_for_byte(tmp_path: Path, scorer: Scorer, excerpt: Record, kind: str) -> None:
    kinds: dict[str, Callable[[], Scorer]] = {
        "own": lambda: Scorer(write_model(tmp_path)),
        "shipped": lambda: Scorer(SHIPPED),
        "failing": lambda: Failing(SHIPPED),
    }
    shadow = kinds[kind]()
    alone = await outputs_of(scorer, excerpt)
    beside, shadowed = shipped_and_shadowed(await outputs_of(scorer, excerpt, shadow=shadow))
    assert beside == alone
    assert shadowed


async def test_shadow_judges_every_window_as_it_would_alone(tmp_path: Path, scorer: Scorer, excerpt: Record) -> None:
    own = Scorer(write_model(tmp_path))
    beside, shadowed = shipped_and_shadowed(await outputs_of(scorer, excerpt, shadow=own))
    windows = [message for message in beside if message.topic == topics.WINDOWS]
    verdicts = [Verdict.model_validate_json(message.value or b"") for message in shadowed]
    assert [each.id for each in verdicts] == [Verdict.model_validate_json(m.value or b"").id for m in windows]
    assert {tuple(each.models) for each in verdicts} == {("cnn",)}
    assert all(int(dict(message.headers)[SHADOW_HEADER]) > 0 for message in shadowed)
    alone = verdicts_in(judge_record(excerpt, own, patient="p1", start_ns=START_NS))[: len(verdicts)]
    assert len(verdicts) == SECONDS // 5
    assert [(each.decision, each.fused) for each in verdicts] == [
        (each.decision, pytest.approx(each.fused, abs=1e-6) if each.fused is not None else None) for each in alone
    ]


async def test_failures_are_counted_and_the_shadow_goes_on(scorer: Scorer, excerpt: Record) -> None:
    registry = CollectorRegistry()
    _, shadowed = shipped_and_shadowed(await outputs_of(scorer, excerpt, shadow=Failing(SHIPPED), registry=registry))
    failures = registry.get_sample_value("ecgstream_detector_shadow_failures_total")
    assert failures is not None
    assert failures >= 1
    assert registry.get_sample_value("ecgstream_detector_shadow_windows_total") == len(shadowed)


async def test_models_that_do_not_end_are_given_up_and_tried_again_later(
    tmp_path: Path, scorer: Scorer, excerpt: Record
) -> None:
    registry = CollectorRegistry()
    metrics, clock = DetectorMetrics(registry), FakeClock()
    # On flat segments, as it is tried with at the start, it ends at once.
    endless = Scorer(write_model(tmp_path, rounds=2**40))
    shadow = Shadow(endless, metrics, clock, limit_s=0.05)
    transform = transform_of(scorer, shadow, metrics)
    alone = transform_of(scorer, None, DetectorMetrics(CollectorRegistry()))
    messages = stream_of(excerpt, "p1", SECONDS)
    pauses: list[float] = []
    given_up = 0.0
    for first in range(0, len(messages), BATCH):
        batch = {0: messages[first : first + BATCH]}
        with capture_logs() as logs:
            outputs = (await transform.process(batch))[0]
        assert outputs == (await alone.process(batch))[0]
        windows = sum(message.topic == topics.WINDOWS for message in outputs)
        given_up += windows
        pauses += [each["again_in_s"] for each in logs if each["event"] == "shadow_too_slow"]
        await clock.advance(8)
    assert registry.get_sample_value("ecgstream_detector_shadow_given_up_total") == given_up
    assert registry.get_sample_value("ecgstream_detector_shadow_windows_total") == 0
    assert pauses == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S]
    for each in (transform, alone):
        each.shut_down()


def test_what_was_ended_runs_again() -> None:
    _, networks = open_networks(SHIPPED, 1)
    flat = np.zeros((1, MODEL_LEADS, MODEL_SAMPLES), np.float32)
    for session in networks.sessions:
        session.end_runs()
    with pytest.raises(Exception, match="terminate"):
        networks.run(flat)
    with time_limit(networks.sessions, 60):
        pass
    assert networks.run(flat).logits.shape == (1,)


def test_a_model_that_does_not_end_at_its_trial_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detector.own_model.TRIAL_S", 0.05)
    with pytest.raises(ModelError, match=r"took longer than the 0.05 s that are waited for"):
        Scorer(write_model(tmp_path, rounds=2**40, at_rest=True))


def test_models_that_do_not_fit_are_left_out(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    settings = DetectorSettings(_env_file=None, shadow=write_model(tmp_path, shape=(1, 1, 500)))
    assert open_shadow(settings, DetectorMetrics(registry), FakeClock()) is None
    assert registry.get_sample_value("ecgstream_detector_shadow_failures_total") == 1
    assert open_shadow(DetectorSettings(_env_file=None), DetectorMetrics(CollectorRegistry()), FakeClock()) is None


async def test_what_is_remembered_of_a_patient_is_forgotten_with_it(scorer: Scorer, excerpt: Record) -> None:
    metrics = DetectorMetrics(CollectorRegistry())
    for patient in ("p1", None):
        shadow = Shadow(scorer, metrics, FakeClock())
        transform = transform_of(scorer, shadow, metrics)
        await transform.process({0: stream_of(excerpt, "p1", 20)})
        stream = StreamId("p1", START_NS, 0)
        assert stream in shadow.contexts(0, [stream])
        shadow.forget(0, patient)
        assert not shadow.contexts(0, [stream])
        transform.shut_down()
