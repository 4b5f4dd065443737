"""One event's work on one patient: which alarms start, change and end."""

from dataclasses import replace
from itertools import dropwhile

from alerting import alarm as one
from alerting.alarm import Alarm, Origin
from alerting.conditions import Sight, label_of, look, look_at_urgent
from alerting.rules import BY_SILENCE, AlarmRules, Rule
from alerting.state import REMEMBERED_COMMANDS, PatientState
from bus.messages import AlarmPhase, Alert, AlertCommand, Condition, Urgent, Verdict

IN_STEP_NS = 8 * one.NS  # no look is further ahead of the windows; more, and alerting is still catching up with them
FORGET_RECENT_NS = 60 * one.NS  # windows on both sides of a longer gap do not start an alarm together


class Bedside:
    """A patient's alarms while an event is worked in.

    Parameters
    ----------
    state : the patient's
    rules : what alarms

    Attributes
    ----------
    alerts : what is to be told, in order
    """

    def __init__(self, state: PatientState, rules: AlarmRules) -> None:
        self._state = state
        self._rules = dict(rules.of(state.patient))
        self._forget_ns = round(rules.forget_s * one.NS)
        self._alarms = dict(state.alarms)
        self._recent = dict(state.recent)
        self._ended = dict(state.ended)
        self._now_ns = state.now_ns
        self._gone = False
        self.alerts: list[Alert] = []

    def state(self) -> PatientState | None:
        """The state after the event; None when the patient is no longer followed."""
        if self._gone:
            return None
        return replace(self._state, now_ns=self._now_ns, alarms=self._alarms, recent=self._recent, ended=self._ended)

    # --- events ---

    def verdict(self, verdict: Verdict) -> None:
        """Take a window in."""
        if verdict.start_ns < self._state.start_ns or (
            verdict.stream_start_ns != self._state.stream_start_ns and verdict.start_ns < self._state.seen_ns
        ):
            self._turn_clock_back(verdict.start_ns - self._state.seen_ns)
        if verdict.start_ns - self._state.seen_ns > FORGET_RECENT_NS:
            self._recent.clear()
        self._pass_time(verdict.end_ns)
        self._gone = False  # it was, and is here again
        self._state = replace(
            self._state,
            device=verdict.device,
            stream_start_ns=verdict.stream_start_ns,
            window=verdict.window,
            verdict=verdict.id,
            start_ns=verdict.start_ns,
            seen_ns=verdict.end_ns,
        )
        origin = Origin(
            verdict=verdict.id,
            lead=verdict.lead,
            models=verdict.models,
            quality=verdict.quality,
            heart_rate_bpm=verdict.heart_rate_bpm,
        )
        sights = look(verdict, self._rules)
        ready: list[Condition] = []
        for condition, rule in self._rules.items():
            sight = sights.seen.get(condition)
            if sight is None and condition not in sights.absent:
                continue
            if condition in self._alarms:
                self._follow(condition, rule, sight, origin)
            elif self._awaited(condition, rule, sight):
                ready.append(condition)
        started = {condition for condition, alarm in self._alarms.items() if alarm.present}
        for condition in ready:  # in the rules' order: what covers comes before what it covers
            if not self._rules[condition].covered_by & started:
                started.add(condition)
                seen = [sight for sight in self._recent.pop(condition) if sight is not None]
                self._start(condition, seen, origin)

    def urgent(self, urgent: Urgent) -> None:
        """Take in what was seen between the windows: it starts the alarm that the window's finding would start.

        Verdicts may be ahead of it or behind. What ended an alarm has answered all that was urgent before; what is
        older than the newest window does not change an alarm that is open.
        """
        if urgent.end_ns - self._state.seen_ns <= IN_STEP_NS:
            self._pass_time(urgent.end_ns)
        self._now_ns = max(self._now_ns, urgent.end_ns)
        rule, sight = self._rules[urgent.kind], look_at_urgent(urgent, self._rules[urgent.kind])
        if sight is None:
            return
        origin = Origin(verdict=urgent.id, lead=urgent.lead, models={}, quality=urgent.quality)
        alarm = self._alarms.get(urgent.kind)
        if alarm is None:
            ended_ns = self._ended.get(urgent.kind)
            covered = any(other.present for name, other in self._alarms.items() if name in rule.covered_by)
            if not covered and (ended_ns is None or urgent.end_ns > ended_ns):
                self._recent.pop(urgent.kind, None)
                self._start(urgent.kind, [sight], origin, windows=0)
        elif urgent.end_ns >= self._state.seen_ns and urgent.end_ns > alarm.sight.last_ns:
            seen = self._alarms[urgent.kind] = replace(alarm.seen(sight, origin), windows=alarm.windows)
            if not alarm.present:
                self._put(seen, "update")

    def silence(self, now_ns: int, *, anybody_s: float) -> None:
        """Let time pass in which nothing came from the patient."""
        rule = self._rules["source_stopped"]
        over_s = anybody_s - rule.after_s if rule.enabled and rule.after_s is not None else -1.0
        if over_s >= 0:
            self._pass_time(now_ns - round(over_s * one.NS))
            if not self._gone and not BY_SILENCE & self._alarms.keys():
                self._start_silent("source_stopped")
        elif "source_stopped" in self._alarms:
            self._end("source_stopped", ("others are heard again",))
        self._pass_time(now_ns)

    def command(self, command: AlertCommand) -> str | None:
        """Do what somebody asks for; why not, where it cannot be done."""
        if command.id in self._state.commands:
            return f"command {command.id!r} came before: it has taken effect once"
        commands = (*self._state.commands, command.id)[-REMEMBERED_COMMANDS:]
        self._state = replace(self._state, commands=commands)
        if command.alert is None:
            return self._command_all(command)
        alarm = next((alarm for alarm in self._alarms.values() if alarm.id == command.alert), None)
        if alarm is None:
            return f"no alarm {command.alert!r} is open: it has ended, or never was"
        if alarm.acknowledged_by is not None:
            return f"alarm {alarm.id!r} makes no sound: {alarm.acknowledged_by} has acknowledged it"
        if command.action == "acknowledge":
            self._acknowledge(alarm, command)
        elif command.action == "silence":
            self._silence(alarm, command)
        elif alarm.silenced_until_ns is None:
            return f"alarm {alarm.id!r} is not silenced"
        else:
            self._put(one.unsilenced(alarm, now_ns=self._now_ns), "update")
        return None

    # --- time ---

    def _pass_time(self, until_ns: int) -> None:
        """Let what falls due by then happen, each at its own time, in order."""
        while not self._gone:
            due = min(self._deadlines(), default=None)
            if due is None or due[0] > until_ns:
                break
            due_ns, phase, condition = due
            self._now_ns = max(self._now_ns, due_ns)
            if condition is None:
                self._forget()
            elif phase == "start":
                self._start_silent(condition)
            else:
                alarm = self._alarms[condition]
                self._put(one.passed(alarm, self._rules[condition], phase, self._now_ns), phase)
        self._now_ns = max(self._now_ns, until_ns)
        if self._state.silenced_until_ns is not None and self._state.silenced_until_ns <= self._now_ns:
            self._state = replace(self._state, silenced_by=None, silenced_until_ns=None)

    def _deadlines(self) -> list[tuple[int, AlarmPhase, Condition | None]]:
        found: list[tuple[int, AlarmPhase, Condition | None]] = []
        unheard = bool(BY_SILENCE & self._alarms.keys())
        for condition, alarm in self._alarms.items():
            due = one.deadline(alarm, self._rules[condition])
            # Of a patient who is not heard the silence is told again and again, not what was before it.
            if due is not None and not (unheard and due.phase == "continue" and condition not in BY_SILENCE):
                found.append((due.due_ns, due.phase, condition))
        rule = self._rules["silent_patient"]
        if rule.enabled and rule.after_s is not None and not unheard:
            found.append((self._state.seen_ns + round(rule.after_s * one.NS), "start", "silent_patient"))
        found.append((self._state.seen_ns + self._forget_ns, "end", None))
        return found

    def _forget(self) -> None:
        for condition in list(self._alarms):
            hours = self._forget_ns / one.NS / 3600
            self._end(condition, (f"nothing came for {hours:g} h: the patient is no longer followed",))
        self._recent.clear()
        self._gone = True

    def _turn_clock_back(self, by_ns: int) -> None:
        """The device's clock was turned back: no alarm may be lost or stuck by it."""
        until_ns = self._state.silenced_until_ns
        self._state = replace(
            self._state,
            start_ns=self._state.start_ns + by_ns,
            seen_ns=self._state.seen_ns + by_ns,
            silenced_until_ns=None if until_ns is None else until_ns + by_ns,
        )
        self._now_ns += by_ns
        self._recent.clear()
        self._alarms = {condition: alarm.shifted(by_ns) for condition, alarm in self._alarms.items()}
        self._ended = {condition: ended_ns + by_ns for condition, ended_ns in self._ended.items()}

    # --- conditions ---

    def _follow(self, condition: Condition, rule: Rule, sight: Sight | None, origin: Origin) -> None:
        """A window that can tell of a condition whose alarm is open."""
        alarm = self._alarms[condition]
        if sight is not None:
            self._alarms[condition] = alarm.seen(sight, origin)
            if not alarm.present:
                self._put(self._alarms[condition], "update")
        elif condition in BY_SILENCE:
            self._end(condition, ("heard again",))
        elif alarm.present and self._state.seen_ns > alarm.sight.last_ns:  # else it tells of a time before
            alarm = self._alarms[condition] = replace(alarm, clean=alarm.clean + 1)
            if alarm.clean < rule.end_clean:
                return
            if rule.latching and alarm.acknowledged_by is None:
                self._put(replace(alarm, present=False), "update")
            else:
                self._end(condition)

    def _awaited(self, condition: Condition, rule: Rule, sight: Sight | None) -> bool:
        """Whether a condition without an alarm has been there for long enough."""
        recent = (*self._recent.get(condition, ()), sight)[-rule.of :]
        recent = tuple(dropwhile(lambda each: each is None, recent))
        if recent:
            self._recent[condition] = recent
        else:
            self._recent.pop(condition, None)
        return sight is not None and sum(each is not None for each in recent) >= rule.start

    def _start(self, condition: Condition, seen: list[Sight], origin: Origin, *, windows: int | None = None) -> None:
        best = max(seen, key=lambda sight: -1.0 if sight.score is None else sight.score)
        priority = self._rules[condition].priority
        held = self._state.silenced_until_ns is not None and priority != "high"
        alarm = Alarm(
            id=f"{origin.verdict}/{condition}",
            condition=condition,
            onset_ns=min(sight.onset_ns for sight in seen),
            detected_ns=self._now_ns,
            priority=priority,
            windows=len(seen) if windows is None else windows,
            score=best.score,
            threshold=best.threshold,
            sight=seen[-1],
            origin=origin,
            silenced_by=self._state.silenced_by if held else None,
            silenced_until_ns=self._state.silenced_until_ns if held else None,
            told_ns=self._now_ns,
            attended_ns=self._now_ns,
        )
        self._put(alarm, "start")

    def _start_silent(self, condition: Condition) -> None:
        seen_ns = self._state.seen_ns
        sight = Sight(onset_ns=seen_ns, last_ns=seen_ns, reasons=(label_of(condition),))
        self._start(condition, [sight], Origin(verdict=self._state.verdict, models={}))

    # --- people ---

    def _command_all(self, command: AlertCommand) -> str | None:
        """Silence or unsilence all of the patient's alarms; one that is high starts with its sound all the same."""
        alarms = [alarm for alarm in self._alarms.values() if alarm.acknowledged_by is None]
        if command.action == "silence":
            until_ns = self._now_ns + round((command.duration_s or 0) * one.NS)
            self._state = replace(self._state, silenced_by=command.by, silenced_until_ns=until_ns)
            for alarm in alarms:
                self._silence(alarm, command)
            return None
        alarms = [alarm for alarm in alarms if alarm.silenced_until_ns is not None]
        if not alarms and self._state.silenced_until_ns is None:
            return f"no alarm of patient {command.patient!r} is silenced"
        self._state = replace(self._state, silenced_by=None, silenced_until_ns=None)
        for alarm in alarms:
            self._put(one.unsilenced(alarm, now_ns=self._now_ns), "update")
        return None

    def _silence(self, alarm: Alarm, command: AlertCommand) -> None:
        until_ns = self._now_ns + round((command.duration_s or 0) * one.NS)
        self._put(one.silenced(alarm, by=command.by, until_ns=until_ns), "update")

    def _acknowledge(self, alarm: Alarm, command: AlertCommand) -> None:
        seen = one.acknowledged(alarm, self._rules[alarm.condition], by=command.by, now_ns=self._now_ns)
        if alarm.present:
            self._put(seen, "de-escalate" if alarm.escalations else "update")
        else:  # the condition has gone: only this was waited for
            self._alarms[alarm.condition] = seen
            self._end(alarm.condition)

    # --- telling ---

    def _put(self, alarm: Alarm, phase: AlarmPhase) -> None:
        self._alarms[alarm.condition] = self._tell(alarm, phase)

    def _end(self, condition: Condition, why: tuple[str, ...] = ()) -> None:
        self._tell(self._alarms.pop(condition), "end", why)
        self._ended[condition] = self._now_ns

    def _tell(self, alarm: Alarm, phase: AlarmPhase, why: tuple[str, ...] = ()) -> Alarm:
        told, alert = one.tell(
            alarm,
            phase,
            patient=self._state.patient,
            device=self._state.device,
            now_ns=self._now_ns,
            why=why,
        )
        self.alerts.append(alert)
        return told
