"""The alert service killed while it is needed: a short run of the real thing, and how the report tells of a fault."""

import asyncio
import random
from itertools import pairwise

import pytest

from alerting.rules import load_rules
from bus.messages import Alert, AlertCommand, Verdict
from ecg.errors import EcgStreamError
from ecgstream.bench import alert_chaos
from ecgstream.bench.alert_chaos import AlertChaosPlan, _held_against, run_alert_chaos
from ecgstream.bench.alert_log import AlertLog, key_of
from ecgstream.bench.alert_script import PatientScript
from tests.alerting.alerts import alert
from tests.alerting.verdicts import finding, verdict
from tests.ecgstream.commands import status_of


def recording() -> list[Verdict]:
    """Two minutes: runs of abnormal windows, and one tachycardia."""
    return [
        verdict(
            window,
            "abnormal" if window % 8 in {2, 3, 4} else "normal",
            findings=(finding("ventricular_tachycardia", window),) if window == 10 else (),
        )
        for window in range(24)
    ]


@pytest.mark.broker
def test_a_killed_service_loses_and_doubles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_chaos, "PACE_S", 0.2)
    report = asyncio.run(run_alert_chaos(AlertChaosPlan(kills=2, seed=1, patients=8), [recording()], load_rules(None)))
    assert report["faults"] == {"sigkill": 2}
    assert report["expected"] > report["commands"] > 0
    nothing = {"lost": 0, "different": 0, "unexpected": 0}
    assert {name: report[name] for name in nothing} == nothing
    assert (report["duplicated"], report["out_of_order"]) == (0, 0)
    assert report["history"] == nothing
    deliveries = report["deliveries"]
    assert deliveries.pop("repeated") >= 0, "a call that was under way may come again, under its key"
    assert deliveries == nothing | {"out_of_order": 0}


async def lived(windows: int) -> tuple[PatientScript, list[Verdict | AlertCommand]]:
    """A patient's script up to some verdict, and all that was sent."""
    sent: list[Verdict | AlertCommand] = []
    stop = asyncio.Event()
    script = PatientScript("p7", recording(), 5, load_rules(None), random.Random(3))

    async def send(message: Verdict | AlertCommand) -> None:
        sent.append(message)
        if script.windows == windows:
            stop.set()

    async def seen(shown: Alert) -> None:
        assert shown in script.expected

    await script.live(stop, send=send, seen=seen, pace_s=0.0, now_ns=lambda: 1)
    return script, sent


async def test_a_script_is_one_stream_and_the_same_every_time() -> None:
    script, sent = await lived(60)
    verdicts = [each for each in sent if isinstance(each, Verdict)]
    assert [each.window for each in verdicts] == list(range(60))
    assert all(before.end_ns == after.start_ns for before, after in pairwise(verdicts))
    assert [each.decision for each in verdicts[:19]] == [each.decision for each in recording()[5:]]
    inside = [(each.start_ns, f.start_ns, each.end_ns) for each in verdicts for f in each.findings]
    assert inside
    assert all(start < found < end for start, found, end in inside)
    assert script.commands > 0
    assert {each.phase for each in script.expected} >= {"start", "update", "end"}
    again, sent_again = await lived(60)
    assert (again.expected, sent_again) == (script.expected, sent)


async def test_every_fault_is_told() -> None:
    script, _ = await lived(40)
    whole = {key_of(each): each for each in script.expected}
    assert _held_against([script], whole) == {"lost": 0, "different": 0, "unexpected": 0}
    first, second, *rest = whole.items()
    broken = dict([(first[0], first[1].model_copy(update={"priority": "information"})), *rest])
    stray = alert(id="p7/x", patient="p7", told_ns=script.end_ns)
    later = alert(id="p7/y", patient="p7", told_ns=script.end_ns + 1)
    broken |= {key_of(stray): stray, key_of(later): later}
    assert second[0] not in broken
    assert _held_against([script], broken) == {"lost": 1, "different": 1, "unexpected": 1}


def test_a_log_counts_what_comes_again_and_what_comes_too_late() -> None:
    log = AlertLog()
    for number in (0, 2, 1, 1, 3):
        log.add(alert(sequence=number).to_bytes())
    assert (len(log.alerts), log.repeated, log.disordered) == (4, 1, 1)


async def test_what_never_comes_is_not_waited_for_without_end() -> None:
    log = AlertLog()
    log.add(alert().to_bytes())
    await log.wait_for([key_of(alert())], patience_s=60)
    await log.wait_for([key_of(alert(sequence=1))], patience_s=0.0)
    assert log.alerts.keys() == {key_of(alert())}


def test_no_verdict_is_no_stream() -> None:
    with pytest.raises(EcgStreamError, match="no verdicts: name longer ones"):
        asyncio.run(run_alert_chaos(AlertChaosPlan(kills=1, seed=0), [], load_rules(None)))


def test_other_faults_of_the_alert_service_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["chaos", "--service", "alert", "--kinds", "sigstop"]) == 2
    assert "--kinds: the alert service is killed and nothing else" in capsys.readouterr().err
