"""The core of alerting, model-checked: whatever happens in whatever order, no alarm is lost, doubled or stuck."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from alerting.patient_alarms import IN_STEP_NS
from alerting.patient_time import PatientTime
from alerting.policy import Event, Refusal, Silence, policy
from alerting.progress import PARTITION_KEY, PartitionProgress, dump, restore
from alerting.rules import AlarmRules
from alerting.state import PatientState
from bus.messages import Alert, AlertCommand, Finding
from ecg.urgency import PROMPT
from tests.alerting.followed import RULES, S, with_rules
from tests.alerting.verdicts import HOP_NS, START_NS, urgent, verdict

# Short times and counts, so that a few events meet every limit.
QUICK = AlarmRules.model_validate(
    with_rules(
        ventricular_tachycardia={"end_clean_s": 10, "retell_s": 15, "escalate_s": 20},
        abnormal_window={"end_clean_s": 10, "retell_s": 25, "escalate_s": 30, "escalate_to": "medium"},
        lead_off={"end_clean_s": 5, "latching": True},
        bradycardia={"start_s": 0, "of_s": 0, "end_clean_s": 5},
        silent_patient={"retell_s": 120},
    ).model_dump(mode="json")
    | {"forget_s": 900}
)
FINDINGS = ("ventricular_tachycardia", "bradycardia", "asystole", "ventricular_run")
LATCHING = {condition for condition, rule in QUICK.rules.items() if rule.latching}
assert QUICK.rules["lead_off"].priority == "low", "asked to latch, it ends by itself all the same"
DEADLY = ("asystole", "ventricular_tachycardia")


class Alarms(RuleBasedStateMachine):
    """One patient; beside the state that lives on, one that is written and read again at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.state: PatientState | None = None
        self.crashed: PatientState | None = None
        self.stream_start_ns = START_NS
        self.window = 0
        self.silent_s = 0.0  # since the last verdict
        self.anybody_s = 0.0
        self.commands = 0
        self.open: dict[str, Alert] = {}  # by id, the last message
        self.ended: list[str] = []
        self.sent: list[AlertCommand] = []
        self.usable: list[bool] = []  # of the last usable windows, whether abnormal
        self.looks: set[str] = set()  # ids of urgent messages
        self.catching_up = False  # a look came far ahead of the windows: what falls due waits for them

    # --- what happens ---

    @initialize()
    def begin(self) -> None:
        self.happen(verdict(0, "normal"))

    @rule(
        decision=st.sampled_from(["normal", "normal", "abnormal", "unusable"]),
        found=st.sets(st.sampled_from(FINDINGS), max_size=2),
        flags=st.sampled_from([(), (), ("noisy",), ("lead_off",)]),
        skipped=st.sampled_from([0, 0, 0, 1, 20]),
        rate=st.sampled_from([72.0, 30.0, None]),
    )
    def window_judged(
        self, decision: Any, found: set[Any], flags: tuple[str, ...], skipped: int, rate: float | None
    ) -> None:
        self.window += 1 + skipped
        start_ns = self.stream_start_ns + self.window * HOP_NS
        findings = tuple(
            Finding(kind=kind, start_ns=start_ns, end_ns=start_ns + 4 * S, rate_bpm=120, beats=9)
            for kind in sorted(found)
            if decision != "unusable"
        )
        each = verdict(
            self.window,
            decision,
            stream_start_ns=self.stream_start_ns,
            findings=findings,
            flags=flags,
            heart_rate_bpm=rate,
        )
        self.happen(each)
        self.silent_s = self.anybody_s = 0.0
        assert self.state is not None
        if skipped * HOP_NS > 60 * S:
            self.usable.clear()
        if decision != "unusable" and "noisy" not in flags:
            self.usable = [*self.usable, decision == "abnormal"][-2:]
        for kind in DEADLY:
            if kind in found and decision != "unusable":
                assert kind in self.state.alarms, "a deadly rhythm alarms at once"
        if self.usable == [True, True]:
            assert "abnormal_window" in self.state.alarms, "two abnormal windows alarm"
        assert not {"silent_patient", "source_stopped"} & self.state.alarms.keys(), "the patient is heard"
        assert self.happen(each) == (), "a verdict that comes twice is told once"

    @rule(
        kind=st.sampled_from(DEADLY),
        ahead=st.sampled_from([-30, -1, 0, 1, 3, 5, 5, 4000]),
        flags=st.sampled_from([(), ("noisy",)]),
    )
    def something_is_urgent(self, kind: Any, ahead: int, flags: tuple[str, ...]) -> None:
        """A look that ends so many seconds after the newest window: the two topics are not in order."""
        second = (self.window + 1) * 5 + ahead
        published = urgent(second, kind, flags=flags, stream_start_ns=self.stream_start_ns)
        before = self.state
        if published.id in self.looks:
            return  # a topic that is read exactly once does not bring it again when other things have happened since
        self.looks.add(published.id)
        at_ns = published.end_ns if before is None else time_of(before).place_urgent(published)
        self.happen(published)
        self.catching_up |= before is not None and at_ns - before.seen_ns > IN_STEP_NS
        assert self.state is not None
        answered = before is not None and kind in before.ended and at_ns <= before.ended[kind]
        assert answered or kind in self.state.alarms, "what kills alarms at once"
        assert self.happen(published) == (), "what comes twice is told once"

    @rule(seconds=st.sampled_from([3.0, 14.0, 31.0, 200.0, 1000.0]), others=st.booleans())
    def nothing_comes(self, seconds: float, others: bool) -> None:
        self.silent_s += seconds
        self.anybody_s = 0.0 if others else self.anybody_s + seconds
        before = self.state
        seen_ns = before.seen_ns if before else START_NS
        self.happen(Silence(now_ns=seen_ns + round(self.silent_s * S), anybody_s=self.anybody_s))
        if before is None:
            assert self.state is None
        elif self.silent_s >= QUICK.forget_s:
            assert self.state is None, "the patient has left"
            self.usable.clear()
        elif self.silent_s >= 30:
            assert self.state is not None
            assert len({"silent_patient", "source_stopped"} & self.state.alarms.keys()) == 1, "one silence, one alarm"

    @rule(back=st.sampled_from([0, 7200]))
    def device_restarts(self, back: int) -> None:
        self.stream_start_ns += (self.window + 1) * HOP_NS + HOP_NS - back * S
        self.window = -1
        self.usable.clear()  # where it is no clock turned back, one window more is needed at most

    @rule(
        data=st.data(),
        action=st.sampled_from(["acknowledge", "silence", "unsilence"]),
        seconds=st.sampled_from([1.0, 17.0, 300.0]),
        whom=st.sampled_from(["open", "open", "ended", "unknown", "all"]),
    )
    def somebody_acts(self, data: st.DataObject, action: Any, seconds: float, whom: str) -> None:
        known = {"open": sorted(self.open), "ended": self.ended, "unknown": ["p1/0/0/pause"], "all": []}[whom]
        if not known and (whom != "all" or action == "acknowledge"):
            return
        alert = data.draw(st.sampled_from(known)) if known else None
        self.commands += 1
        published = AlertCommand(
            id=f"c{self.commands}",
            patient="p1",
            action=action,
            alert=alert,
            by=f"n{self.commands}",
            duration_s=seconds if action == "silence" else None,
            sent_ns=0,
        )
        before = dict(self.open)
        actions = self.happen(published)
        refused = [each for each in actions if isinstance(each, Refusal)]
        self.sent.append(published)
        if whom in {"ended", "unknown"}:
            assert refused, "there is nothing to do it to"
            assert len(actions) == 1
        elif alert is not None and before[alert].acknowledged_by is None:
            last = self.open.get(alert)
            if action == "acknowledge":
                assert last is None or last.state == "acknowledged"
                assert last is None or before[alert].state != "latched", "only this was waited for"
            elif action == "silence":
                assert last is not None
                assert last.state == "silenced"
            else:
                assert bool(refused) == (before[alert].silenced_until_ns is None)
        elif alert is not None:
            assert refused
            assert before == self.open, "who comes second changes nothing"

    @precondition(lambda self: self.sent and self.state is not None)
    @rule(data=st.data())
    def a_command_comes_again(self, data: st.DataObject) -> None:
        published = data.draw(st.sampled_from(self.sent[-20:]))
        assert self.state is not None
        if published.id in self.state.commands:
            (action,) = self.happen(published)
            assert isinstance(action, Refusal)
            assert "came before" in action.reason

    @rule()
    def the_service_crashes(self) -> None:
        if self.crashed is not None:
            restored = restore({b"p1": dump(self.crashed), PARTITION_KEY: _PLACE})
            assert restored.place is not None
            self.crashed = restored.patients["p1"]

    # --- what must hold ---

    def happen(self, event: Event) -> tuple[Any, ...]:
        """Work an event in, and hold every message against those before."""
        self.state, actions = policy(self.state, event, QUICK)
        self.crashed, after_crash = policy(self.crashed, event, QUICK)
        assert actions == after_crash, "a crash changes nothing that is told"
        for action in actions:
            if isinstance(action, Alert):
                self.hear(action)
        return actions

    def hear(self, alert: Alert) -> None:
        last = self.open.get(alert.id)
        if alert.phase == "start":
            assert last is None
            assert alert.id not in self.ended, "an id is used once"
            assert alert.sequence == 0
            assert alert.condition not in {each.condition for each in self.open.values()}, "one of a condition"
        else:
            assert last is not None, "what was not started is not told"
            assert alert.sequence == last.sequence + 1, "no hole, nothing twice"
            assert (alert.condition, alert.kind) == (last.condition, last.kind)
            assert alert.windows >= last.windows
            if last.acknowledged_by is not None:
                assert alert.phase == "end", "acknowledged, it is quiet until it ends"
                assert alert.acknowledged_by == last.acknowledged_by
            if last.state == "silenced":
                assert alert.phase not in {"continue", "escalate"}, "silenced, it does not call"
        if alert.phase == "end":
            assert alert.state == "inactive"
            assert alert.end_ns == alert.told_ns
            left = alert.reasons[0].startswith("nothing came for")
            latched = alert.condition in LATCHING and alert.priority in PROMPT
            assert left or alert.acknowledged_by or not latched, "a latched alarm is not lost"
            del self.open[alert.id]
            self.ended.append(alert.id)
        else:
            assert alert.state != "inactive"
            assert alert.end_ns is None
            if alert.priority not in PROMPT:
                assert alert.state != "latched", "what asks for no answer does not wait for one"
                assert alert.phase not in {"continue", "escalate"}, "nor is it told again"
            self.open[alert.id] = alert

    @invariant()
    def every_open_alarm_is_known_and_every_known_one_was_published(self) -> None:
        alarms = self.state.alarms if self.state else {}
        assert {alarm.id for alarm in alarms.values()} == set(self.open)
        for alarm in alarms.values():
            published = self.open[alarm.id]
            assert (alarm.state, alarm.sequence, alarm.priority) == (
                published.state,
                published.sequence + 1,
                published.priority,
            )

    @invariant()
    def a_crash_loses_nothing(self) -> None:
        assert self.crashed == self.state

    @invariant()
    def nothing_that_fell_due_was_left(self) -> None:
        if self.state is None:
            return
        passed_ns = min(self.state.now_ns, self.state.seen_ns) if self.catching_up else self.state.now_ns
        for alarm in self.state.alarms.values():
            assert alarm.silenced_until_ns is None or alarm.silenced_until_ns > passed_ns


def time_of(state: PatientState) -> PatientTime:
    return PatientTime(streams=state.streams, seen_ns=state.seen_ns, spent_ns=state.spent_ns, broker=None)


_PLACE = PartitionProgress(next_offset=0).model_dump_json().encode()
Alarms.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestAlarms = Alarms.TestCase


@given(st.lists(st.floats(0, 1000), max_size=6), st.sampled_from([(), ("ventricular_tachycardia",)]))
@settings(max_examples=60, deadline=None)
def test_it_does_not_matter_how_often_somebody_looks(looks: list[float], found: tuple[Any, ...]) -> None:
    findings = tuple(Finding(kind=kind, start_ns=START_NS, end_ns=START_NS + S, beats=9) for kind in found)
    first = verdict(0, "normal", findings=findings)
    seen_ns = first.end_ns
    once, _ = policy(None, first, QUICK)
    often = once
    published: list[Any] = []
    for seconds in sorted(looks):
        often, actions = policy(often, Silence(now_ns=seen_ns + round(seconds * S), anybody_s=0), QUICK)
        published += actions
    end = Silence(now_ns=seen_ns + 1000 * S, anybody_s=0)
    often, actions = policy(often, end, QUICK)
    once, expected = policy(once, end, QUICK)
    assert (often, [*published, *actions]) == (once, list(expected))
    assert RULES.forget_s > QUICK.forget_s
