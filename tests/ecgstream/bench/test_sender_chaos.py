"""Hostile senders: what the plan holds, how the report tells of every harm, and a short run of the real thing."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from alerting.policy import policy
from alerting.rules import load_rules
from alerting.state import PatientState
from bus.messages import Alert, Verdict
from ecg.errors import EcgStreamError
from ecg.wfdb_files import toy_record
from ecgstream.bench import sender_chaos
from ecgstream.bench.alarm_ends import ended_wrongly
from ecgstream.bench.sender_chaos import GOOD_S, SenderPlan, run_sender_chaos, sender_kinds
from ecgstream.bench.sender_report import Fate, Seen, recoveries, report
from producer.hostile import KINDS
from tests.alerting.verdicts import START_NS, finding, verdict

NOTHING = {"lost": 0, "duplicated": 0, "different": 0}


def test_a_plan_deals_its_faults_out_and_leaves_time_to_mend() -> None:
    plan = SenderPlan(faults=200, seed=1, patients=10)
    fates = plan.fates()
    assert fates == SenderPlan(faults=200, seed=1, patients=10).fates()
    assert fates != SenderPlan(faults=200, seed=2, patients=10).fates()
    assert (len(fates), sum(map(len, fates))) == (6, 200)
    assert {fate.kind for each in fates for fate in each} == set(KINDS)
    for each in fates:
        for fault, following in pairwise(each):
            assert following.start_s - fault.mended_s >= GOOD_S[0]


def test_sender_means_every_kind_and_stands_alone() -> None:
    assert sender_kinds(["sender"]) == tuple(KINDS)
    assert sender_kinds(["clock", "flood"]) == ("clock", "flood")
    assert sender_kinds(["sigkill"]) == sender_kinds([]) == ()
    with pytest.raises(EcgStreamError, match="kinds=sigkill beside those of senders"):
        sender_kinds(["sender", "sigkill"])
    with pytest.raises(EcgStreamError, match="kinds=rain is no kind of fault of a sender"):
        SenderPlan(faults=1, seed=0, kinds=("rain",))
    with pytest.raises(EcgStreamError, match="patients=1: a victim and a bystander"):
        SenderPlan(faults=1, seed=0, patients=1)


def stream(patient: str, windows: int = 40) -> list[Verdict]:
    return [
        verdict(
            window,
            "abnormal" if window % 10 in {3, 4} else "normal",
            patient=patient,
            findings=(finding("ventricular_tachycardia", window),) if window == 5 else (),
        )
        for window in range(windows)
    ]


def alarms(verdicts: list[Verdict]) -> list[Alert]:
    state: PatientState | None = None
    shown: list[Alert] = []
    for each in verdicts:
        state, actions = policy(state, each, load_rules())
        shown += [action for action in actions if isinstance(action, Alert)]
    return shown


def seen(*streams: list[Verdict]) -> Seen:
    return Seen(
        verdicts=[each for one in streams for each in one],
        doubled={},
        alerts=[alert for one in streams for alert in alarms(one)],
        repeated={},
        urgent=[],
        letters=[],
        rss_mb={},
    )


FATES = {"victim": [Fate(kind="clock", seed="0", start_s=50.0, mended_s=60.0)]}


def shown(storm: Seen) -> dict[str, object]:
    calm = seen(stream("victim"), stream("good"))
    return report(FATES, ["good"], calm=calm, storm=storm, start_ns=START_NS)


def test_a_run_without_harm_says_so() -> None:
    found = shown(seen(stream("victim"), stream("good")))
    assert found["bystanders"] == NOTHING | {"verdicts": 40, "alarm_messages": len(alarms(stream("good")))}
    assert found["recovered"] == {"patients": 1, "of": 1, "max_s": 0.0}
    assert (found["alarms_ended_wrongly"], found["latched"]) == (0, 1)


def test_every_harm_to_a_bystander_is_counted() -> None:
    whole = seen(stream("victim"), stream("good"))
    changed = [each.model_copy(update={"fused": 0.3}) if each.window == 8 else each for each in stream("good")]
    harmed = replace(whole, verdicts=[*stream("victim"), *changed[:-1]], doubled={"good": 2}, repeated={"good": 1})
    bystanders = shown(harmed)["bystanders"]
    assert isinstance(bystanders, dict)
    assert {name: bystanders[name] for name in NOTHING} == {"lost": 1, "duplicated": 3, "different": 1}
    silent = shown(replace(whole, alerts=[each for each in whole.alerts if each.patient == "victim"]))["bystanders"]
    assert isinstance(silent, dict)
    assert silent["lost"] == len(alarms(stream("good")))


def test_recovery_is_counted_from_the_mending_to_the_last_window_that_was_harmed() -> None:
    calm = stream("victim")
    fates = FATES["victim"]
    late = [each for each in calm if not 40 <= each.window * 5 < 80]
    assert [took for _, took in recoveries(fates, calm, late, START_NS)] == [25.0]
    never = [each for each in calm if each.window * 5 < 40]
    assert [took for _, took in recoveries(fates, calm, never, START_NS)] == [None]
    other = [each.model_copy(update={"autoencoder_error": 0.7}) if each.window == 14 else each for each in calm]
    assert [took for _, took in recoveries(fates, calm, other, START_NS)] == [20.0]


def test_an_alarm_that_nobody_acknowledged_may_not_end() -> None:
    verdicts, rules = stream("victim"), load_rules()
    messages = alarms(verdicts)
    assert ended_wrongly(messages, verdicts, rules) == []
    latched = next(each for each in messages if each.state == "latched")
    ended = latched.model_copy(update={"phase": "end", "state": "inactive"})
    assert ended_wrongly([*messages, ended], verdicts, rules) == [ended]
    seen_to = ended.model_copy(update={"acknowledged_by": "Ada"})
    assert ended_wrongly([*messages, seen_to], verdicts, rules) == []


def test_the_windows_of_another_device_end_no_alarm() -> None:
    verdicts = stream("victim", 12)
    normal = [verdict(window, "normal", patient="victim") for window in range(12, 60)]
    others = [each.model_copy(update={"device": "other"}) for each in normal]
    started = next(each for each in alarms(verdicts) if each.condition == "abnormal_window")
    ended = started.model_copy(update={"phase": "end", "state": "inactive", "sequence": 1})
    assert ended_wrongly([started, ended], [*verdicts, *normal], load_rules()) == []
    assert ended_wrongly([started, ended], [*verdicts, *others], load_rules()) == [ended]


@pytest.mark.broker
def test_bystanders_feel_nothing_of_bad_senders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_chaos, "LEAD_S", 5.0)
    monkeypatch.setattr(sender_chaos, "GOOD_S", (30.0, 31.0))
    monkeypatch.setattr(sender_chaos, "SPEED", 15.0)
    plan = SenderPlan(faults=2, seed=1, kinds=("undecodable", "again"), patients=3)
    found = asyncio.run(run_sender_chaos(plan, [toy_record()]))
    bystanders = found["bystanders"]
    assert {name: bystanders[name] for name in NOTHING} == NOTHING
    assert found["recovered"]["patients"] == found["recovered"]["of"] == 2
    assert found["alarms_ended_wrongly"] == 0
