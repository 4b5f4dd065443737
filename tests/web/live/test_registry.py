import itertools
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from bus.messages import Alert, Verdict
from bus.samples import Chunk
from ecg.records import MISSING
from tests.alerting.alerts import alert
from tests.alerting.verdicts import HOP_NS, START_NS, verdict
from tests.web.live.chunks import chunk, cut
from web.live.frames import ANEW, HOLE
from web.live.patient import LivePatient
from web.live.registry import FORGET_MS, SILENT_MS, PatientRegistry
from web.live.summary import PatientSummary, RankedAlert, ranked_json
from web.live.verdicts import HOUR, VerdictHead

NOW_MS = 1_700_000_100_000


def head(one: Verdict) -> VerdictHead:
    return VerdictHead.model_validate_json(one.to_bytes())


def take(ward: PatientRegistry, message: Chunk | Verdict | Alert, sent_ms: int = NOW_MS) -> None:
    if isinstance(message, Chunk):
        ward.take_chunk(message, sent_ms)
    elif isinstance(message, Verdict):
        ward.take_verdict(head(message), message.to_bytes(), offset=message.window, sent_ms=sent_ms)
    else:
        ward.take_alert(message, sent_ms=sent_ms)


def alarm_life(patient: str) -> list[Alert]:
    first = f"{patient}/{START_NS}/1/abnormal_window"
    second = f"{patient}/{START_NS}/2/couplet"
    return [
        alert(id=first, patient=patient),
        alert(id=second, patient=patient, priority="high", onset_ns=START_NS + HOP_NS),
        alert(id=first, patient=patient, sequence=1, phase="update", state="acknowledged", acknowledged_by="Ada"),
        alert(id=second, patient=patient, sequence=1, phase="end", state="inactive", end_ns=START_NS + 3 * HOP_NS),
    ]


@settings(max_examples=40)
@given(st.data())
def test_any_interleaving_of_the_topics_ends_in_the_same_summaries(data: st.DataObject) -> None:
    topics: list[list[Chunk | Verdict | Alert]] = []
    for patient in ("p1", "p2"):
        chunks = [*cut(720, [90], patient=patient), *cut(180, [90], patient=patient, base_ns=START_NS + 60 * 10**9)]
        verdicts = [verdict(0, "normal", patient=patient), verdict(1, "abnormal", patient=patient)]
        topics += [[*chunks], [*verdicts], [*alarm_life(patient)]]
    ward = PatientRegistry()
    left = [list(topic) for topic in topics]
    while any(left):
        which = data.draw(st.sampled_from([number for number, topic in enumerate(left) if topic]))
        take(ward, left[which].pop(0))
    changed: dict[str, PatientSummary] = {one.patient: one for one in ward.changed_at(NOW_MS)}
    straight = PatientRegistry()
    for message in itertools.chain(*topics):
        take(straight, message)
    assert len(ward.summaries()) == 2
    assert ward.places() == straight.places()
    assert sorted(ward.summaries(), key=lambda one: one.patient) == sorted(
        straight.summaries(), key=lambda one: one.patient
    )
    assert changed == {one.patient: one for one in straight.changed_at(NOW_MS)}
    assert {one.id for one in ward.open_alarms()} == {
        f"{patient}/{START_NS}/1/abnormal_window" for patient in ("p1", "p2")
    }
    assert ward.changed_at(NOW_MS) == []


def test_a_patient_in_one_line() -> None:
    ward = PatientRegistry()
    take(ward, chunk(0, 360))
    take(ward, verdict(0, "abnormal", reasons=("2 ventricular beats",)))
    (changed,) = ward.changed_at(NOW_MS)
    assert (changed.patient, changed.device, changed.leads, changed.lead) == ("p1", "holter", ("V1", "MLII"), "MLII")
    assert (changed.last_sample_ns, changed.last_wall_ms) == (START_NS + 10**9, NOW_MS)
    assert (changed.state, changed.alarm, changed.open_alarms) == ("information", None, 0)
    assert changed.verdict is not None
    assert (changed.verdict.decision, changed.verdict.reasons) == ("abnormal", ("2 ventricular beats",))
    for message in alarm_life("p1")[:2]:
        take(ward, message)
    (changed,) = ward.changed_at(NOW_MS)
    assert (changed.state, changed.open_alarms) == ("high", 2)
    assert changed.alarm is not None
    assert changed.alarm.condition == "abnormal_window"
    assert changed.alarm.id.endswith("couplet")


def test_who_is_silent_is_told_once_and_who_is_long_gone_is_forgotten() -> None:
    ward = PatientRegistry()
    take(ward, chunk(0, 360))
    take(ward, verdict(0, "unusable"))
    assert [one.state for one in ward.changed_at(NOW_MS)] == ["unusable"]
    assert ward.changed_at(NOW_MS + SILENT_MS) == []
    assert [one.state for one in ward.changed_at(NOW_MS + SILENT_MS + 1)] == ["silent"]
    assert ward.changed_at(NOW_MS + SILENT_MS + 2) == []
    take(ward, chunk(360, 360), NOW_MS + SILENT_MS + 3)
    assert [one.state for one in ward.changed_at(NOW_MS + SILENT_MS + 3)] == ["unusable"]
    take(ward, alert(priority="medium"))
    later_ms = NOW_MS + SILENT_MS + 4 + FORGET_MS
    assert [one.state for one in ward.changed_at(later_ms)] == ["medium"]
    take(ward, alert(sequence=1, phase="end", state="inactive"))
    ward.changed_at(later_ms)
    assert ward.patients == {}


def test_an_alarm_that_has_ended_makes_no_patient() -> None:
    ward = PatientRegistry()
    take(ward, alert(phase="end", state="inactive"))
    assert ward.changed_at(NOW_MS) == []
    assert ward.patients == {}


def test_the_most_urgent_come_first() -> None:
    ward = PatientRegistry()
    for patient, message in (
        ("p1", verdict(0, "normal", patient="p1")),
        ("p2", alert(id="p2/1/1/x", patient="p2", priority="medium")),
        ("p3", alert(id="p3/1/1/x", patient="p3", priority="high", state="acknowledged", acknowledged_by="Ada")),
        ("p4", alert(id="p4/1/1/x", patient="p4", priority="high")),
        ("p5", verdict(0, "unusable", patient="p5")),
    ):
        take(ward, chunk(0, 90, patient=patient))
        take(ward, message)
    ward.changed_at(NOW_MS)
    assert [place.patient for place in ward.places()] == ["p4", "p3", "p2", "p5", "p1"]


def test_what_came_before_is_not_shown_again_and_what_is_missing_is_marked() -> None:
    live = LivePatient.empty("p1")

    def seen(one: Chunk) -> tuple[int, int, int] | None:
        arrived = live.take_chunk(one, 0)
        return arrived and (arrived.chunk.start_index, arrived.chunk.end_index, arrived.flags)

    assert seen(chunk(0, 90)) == (0, 90, 0)
    assert seen(chunk(0, 90)) is None
    assert seen(chunk(45, 90)) == (90, 135, 0)
    assert live.latest is not None
    assert (live.latest.chunk.samples == chunk(90, 45).samples).all()
    assert live.latest.chunk.start_ns == chunk(90, 45).start_ns
    assert seen(chunk(180, 90)) == (180, 270, HOLE)
    assert seen(chunk(0, 90)) is None
    assert seen(chunk(270, 90, base_ns=START_NS + 10**12)) == (270, 360, HOLE | ANEW), "its clock was set"


def test_an_hour_of_figures_is_kept_and_two_minutes_of_whole_verdicts() -> None:
    live = LivePatient.empty("p1")
    count = 2 * HOUR + 100
    for number in range(count):
        one = verdict(number, "unusable" if number % 7 == 0 else "normal", heart_rate_bpm=60 + number % 9)
        live.verdicts.add(head(one), one.to_bytes(), number)
    figures = live.verdicts.figures()
    assert figures["offset"].tolist() == list(range(count - HOUR, count))
    assert figures["heart_rate_bpm"].tolist() == [60 + number % 9 for number in range(count - HOUR, count)]
    some = live.verdicts.figures(START_NS + (count - 3) * HOP_NS, START_NS + (count - 1) * HOP_NS)
    assert some["offset"].tolist() == [count - 3, count - 2]
    assert [json.loads(one.value)["window"] for one in live.verdicts.whole] == list(range(count - 24, count))


def test_missing_samples_stay_missing() -> None:
    samples = chunk(0, 90).samples.copy()
    samples[10:20] = MISSING
    arrived = LivePatient.empty("p1").take_chunk(chunk(0, 90, samples=samples), 0)
    assert arrived is not None
    assert (arrived.chunk.samples[10:20] == MISSING).all()


def test_an_alarm_goes_on_as_it_was_sent_with_its_rank() -> None:
    changed = alert(priority="medium", heart_rate_bpm=40.0)
    value = b' {\r\n"label": "as sent", ' + changed.to_bytes()[1:]
    sent = ranked_json(changed, value)
    assert "\n" not in sent
    assert '"label": "as sent"' in sent
    assert json.loads(sent)["rank"] == RankedAlert.of(changed).rank
    infinite = changed.to_bytes().replace(b'"heart_rate_bpm":40.0', b'"heart_rate_bpm":NaN')
    assert "NaN" not in ranked_json(Alert.model_validate_json(infinite), infinite), "no browser reads it"
