"""One event's work on one patient: which alarms start, change and end."""

from dataclasses import replace
from itertools import dropwhile

from alerting import alarm as one
from alerting.alarm import Alarm, Origin
from alerting.conditions import Observation, label_of, observe, observe_urgent
from alerting.patient_time import NS, PRESENT_NS, STREAMS_KEPT, WINDOW_NS, BrokerTime, PatientTime, Placed, Stream
from alerting.rules import BY_SILENCE, AlarmRules, Rule, windows_in
from alerting.state import REMEMBERED_COMMANDS, PatientState
from bus.messages import AlarmPhase, Alert, AlertCommand, Condition, DeadLetter, Urgent, Verdict
from ecg.windows import HOP_S

IN_STEP_NS = 8 * NS  # no look is further ahead of the windows; more, and alerting is still catching up with them
FORGET_RECENT_NS = 60 * NS  # windows on both sides of a longer gap do not start an alarm together
# A device that has not been heard for so long was taken off: what it saw ends by what another one sees.
REPLACED_NS = 600 * NS
TOGETHER_NS = 30 * NS  # streams of which both went on are live together while both were heard within
UNHEARD_NS = 600 * NS  # a patient of whom only refused messages are known is followed for so long after the last
# What every stream's windows tell of: it is about all that comes under the patient's id.
OF_ALL_STREAMS = frozenset({"several_devices", "input_refused"})
MAX_REASON = 300  # characters of a letter's reason


class PatientAlarms:
    """A patient's alarms while an event is worked in.

    Parameters
    ----------
    state : the patient's
    rules : what alarms
    broker : when the broker took the event's message, where that is known

    Attributes
    ----------
    alerts : what is to be told, in order
    """

    def __init__(self, state: PatientState, rules: AlarmRules, broker: BrokerTime | None = None) -> None:
        self._state = state
        self._rules = dict(rules.of(state.patient))
        self._forget_ns = round(rules.forget_s * NS) if state.heard else UNHEARD_NS
        self._alarms = dict(state.alarms)
        self._ended = dict(state.ended)
        self._now_ns = state.now_ns
        self._broker = broker
        self._gone = False
        self.alerts: list[Alert] = []

    def state(self) -> PatientState | None:
        """The state after the event; None when the patient is no longer followed."""
        if self._gone:
            return None
        return replace(self._state, now_ns=self._now_ns, alarms=self._alarms, ended=self._ended)

    def next_due_ns(self) -> int:
        """Return when next something falls due in a patient of whom nothing comes."""
        return min(due_ns for due_ns, _, _ in self._deadlines(forget=True))

    # --- events ---

    def was_judged(self, verdict: Verdict) -> bool:
        """Return whether a verdict came before."""
        return self._time().was_judged(verdict)

    def verdict(self, verdict: Verdict) -> None:
        """Take a window in."""
        placed = self._time().place(verdict)
        self._pass_time(placed.passed_ns)
        spent_ns = self._state.spent_ns + max(0, placed.passed_ns - self._state.seen_ns)
        self._shift(placed.shift_ns)
        at_ns = placed.at_ns
        run = self._run(verdict, placed)
        self._state = replace(
            self._state,
            device=verdict.device,
            verdict=verdict.id,
            seen_ns=max(self._state.seen_ns, at_ns),
            spent_ns=max(spent_ns, min(at_ns, at_ns if self._broker is None else self._broker.now_ns)),
        )
        origin = _origin(verdict, run)
        observations = observe(verdict, self._rules).moved(at_ns - verdict.end_ns, latest_ns=at_ns)
        observations = observations.and_seen("several_devices", self._several(run))
        recent = dict(run.recent)
        self._no_refusal(verdict.hop_s)
        ready: list[Condition] = []
        for condition, rule in self._rules.items():
            observation = observations.seen.get(condition)
            if condition == "input_refused" or (observation is None and condition not in observations.absent):
                continue
            if condition in self._alarms:
                self._follow(
                    condition, observation, origin, at_ns, end_clean=windows_in(rule.end_clean_s, verdict.hop_s)
                )
            elif _awaited(recent, condition, rule, observation, verdict.hop_s):
                ready.append(condition)
        started = {condition for condition, alarm in self._alarms.items() if alarm.present}
        for condition in ready:  # in the rules' order: what covers comes before what it covers
            if not self._rules[condition].covered_by & started:
                started.add(condition)
                seen = [observation for observation in recent.pop(condition) if observation is not None]
                self._start(condition, seen, origin)
        self._keep(replace(run, recent=recent))

    def urgent(self, urgent: Urgent) -> None:
        """Take in what was seen between the windows: it starts the alarm that the window's finding would start.

        Verdicts may be ahead of it or behind. What ended an alarm has answered all that was urgent before; what is
        older than the newest window does not change an alarm that is open.
        """
        at_ns = self._time().place_urgent(urgent)
        if at_ns - self._state.seen_ns <= IN_STEP_NS:
            self._pass_time(at_ns)
        self._now_ns = max(self._now_ns, at_ns)
        rule, observation = self._rules[urgent.kind], observe_urgent(urgent, self._rules[urgent.kind])
        if observation is None:
            return
        observation = observation.moved(at_ns - urgent.end_ns, latest_ns=at_ns)
        run = next((each for each in reversed(self._state.streams) if each.is_of(urgent)), None)
        origin = _origin(urgent, run)
        alarm = self._alarms.get(urgent.kind)
        if alarm is None:
            ended_ns = self._ended.get(urgent.kind)
            covered = any(other.present for name, other in self._alarms.items() if name in rule.covered_by)
            if not covered and (ended_ns is None or at_ns > ended_ns):
                self._forget_recent(urgent.kind)
                self._start(urgent.kind, [observation], origin, windows=0)
        elif at_ns >= self._state.seen_ns and at_ns > alarm.sight.last_ns:
            seen = self._alarms[urgent.kind] = replace(alarm.seen(observation, origin), windows=alarm.windows)
            if not alarm.present:
                self._put(seen, "update")

    def letter(self, letter: DeadLetter) -> None:
        """Take note of a message of the patient that was refused."""
        if not self._state.heard and self._broker is not None:
            self._pass_time(self._broker.now_ns)
            now_ns = max(self._state.seen_ns, self._broker.now_ns)
            self._state = replace(self._state, seen_ns=now_ns, spent_ns=now_ns)
        rule = self._rules["input_refused"]
        if not rule.enabled:
            return
        observation = Observation(onset_ns=self._now_ns, last_ns=self._now_ns, reasons=(letter.reason[:MAX_REASON],))
        origin = Origin(
            verdict=f"{letter.service}/{letter.topic}/{letter.partition}/{letter.offset}/{self._state.patient}",
            models={},
        )
        alarm = self._alarms.get("input_refused")
        if alarm is not None:
            self._alarms["input_refused"] = replace(alarm.seen(observation, origin), windows=alarm.windows)
            self._state = replace(self._state, refused=True)
            return
        hop_s = self._state.streams[-1].hop_s if self._state.streams else HOP_S
        of = windows_in(rule.of_s, hop_s)
        refusals = (*self._state.refusals, *([observation] * min(letter.count, of)))[-of:]
        seen = [each for each in refusals if each is not None]
        started = len(seen) >= windows_in(rule.start_s, HOP_S)  # messages count here, however often windows come
        self._state = replace(self._state, refused=True, refusals=() if started else refusals)
        if started:
            self._start("input_refused", seen, origin, windows=0)

    def silence(self, now_ns: int, *, anybody_s: float) -> None:
        """Let time pass in which nothing came from the patient."""
        rule = self._rules["source_stopped"]
        over_s = anybody_s - rule.after_s if rule.enabled and rule.after_s is not None else -1.0
        if not self._state.heard:
            over_s = -1.0  # nothing but refused messages came: that is an alarm of its own
        if over_s >= 0:
            self._pass_time(now_ns - round(over_s * NS), forget=True)
            if not self._gone and not BY_SILENCE & self._alarms.keys():
                self._start_silent("source_stopped")
        elif "source_stopped" in self._alarms:
            self._end("source_stopped", ("others are heard again",))
        self._pass_time(now_ns, forget=True)

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

    def _time(self) -> PatientTime:
        state = self._state
        return PatientTime(streams=state.streams, seen_ns=state.seen_ns, spent_ns=state.spent_ns, broker=self._broker)

    def _pass_time(self, until_ns: int, *, forget: bool = False) -> None:
        """Let what falls due by then happen, each at its own time, in order.

        Nobody is forgotten because of what a sender says, only by silence: ``forget``.
        """
        while not self._gone:
            due = min(self._deadlines(forget=forget), default=None)
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

    def _deadlines(self, *, forget: bool) -> list[tuple[int, AlarmPhase, Condition | None]]:
        found: list[tuple[int, AlarmPhase, Condition | None]] = []
        unheard = bool(BY_SILENCE & self._alarms.keys())
        for condition, alarm in self._alarms.items():
            due = one.deadline(alarm, self._rules[condition])
            # Of a patient who is not heard the silence is told again and again, not what was before it.
            if due is not None and not (unheard and due.phase == "continue" and condition not in BY_SILENCE):
                found.append((due.due_ns, due.phase, condition))
        rule = self._rules["silent_patient"]
        if rule.enabled and rule.after_s is not None and not unheard and self._state.heard:
            found.append((self._state.seen_ns + round(rule.after_s * NS), "start", "silent_patient"))
        if forget:
            found.append((self._state.seen_ns + self._forget_ns, "end", None))
        return found

    def _forget(self) -> None:
        for condition in list(self._alarms):
            hours = self._forget_ns / NS / 3600
            lasted = f"nothing came for {hours:g} h" if self._state.heard else "no message was refused for 10 min"
            self._end(condition, (f"{lasted}: the patient is no longer followed",))
        self._gone = True

    def _shift(self, by_ns: int) -> None:
        """The device's clock was turned: all times move along, so that no alarm is lost or stuck by it."""
        if not by_ns:
            return
        until_ns = self._state.silenced_until_ns
        self._state = replace(
            self._state,
            seen_ns=self._state.seen_ns + by_ns,
            silenced_until_ns=None if until_ns is None else until_ns + by_ns,
            streams=tuple(run.shifted(by_ns) for run in self._state.streams),
        )
        self._now_ns += by_ns
        self._alarms = {condition: alarm.shifted(by_ns) for condition, alarm in self._alarms.items()}
        self._ended = {condition: ended_ns + by_ns for condition, ended_ns in self._ended.items()}

    # --- streams ---

    def _run(self, verdict: Verdict, placed: Placed) -> Stream:
        """The run of a verdict, with it."""
        broker_ns = self._broker.now_ns if self._broker else None
        before = placed.run and placed.run.shifted(placed.shift_ns)
        last = self._state.streams[-1] if self._state.streams else None
        if before is None:
            begun_ns = placed.at_ns - WINDOW_NS
            heir = last is not None and last.device == verdict.device and begun_ns - last.seen_ns <= FORGET_RECENT_NS
            return Stream(
                device=verdict.device,
                start_ns=verdict.stream_start_ns,
                first=verdict.window,
                window=verdict.window,
                hop_s=verdict.hop_s,
                claimed_ns=verdict.end_ns,
                seen_ns=placed.at_ns,
                broker_ns=broker_ns,
                recent=last.recent if last and heir else {},
            )
        gap_ns = placed.at_ns - before.hop_s * NS - before.seen_ns
        gaps = before.gaps_with(verdict.window)
        if verdict.window > before.window:
            before = replace(before, window=verdict.window, claimed_ns=verdict.end_ns, seen_ns=placed.at_ns)
        return replace(
            before,
            gaps=gaps,
            broker_ns=broker_ns,
            returned=before.returned or (last is not None and last.key != before.key),
            recent={} if gap_ns > FORGET_RECENT_NS else before.recent,
        )

    def _keep(self, run: Stream) -> None:
        """Note that a run was heard; of too many, those that nothing continued go first."""
        others = [each for each in self._state.streams if each.key != run.key]
        if len(others) >= STREAMS_KEPT:
            others.remove(next((each for each in others if each.first == each.window), others[0]))
        self._state = replace(self._state, streams=(*others, run))

    def _forget_recent(self, condition: Condition) -> None:
        streams = tuple(run.without(condition) for run in self._state.streams)
        self._state = replace(self._state, streams=streams)

    def _several(self, run: Stream) -> Observation | None:
        """Return an observation where a run is live together with another one."""
        if not run.returned:
            return None
        others = [each for each in self._state.streams if each.key != run.key and each.returned]
        other = next((each for each in reversed(others) if each.seen_ns > run.seen_ns - TOGETHER_NS), None)
        if other is None:
            return None
        names = sorted({run.device, other.device})
        who = f"{names[0]!r} and {names[1]!r}" if len(names) > 1 else f"two that both call themselves {names[0]!r}"
        return Observation(
            onset_ns=run.seen_ns - WINDOW_NS,
            last_ns=run.seen_ns,
            reasons=(f"{who} send under this patient id: give each patient an id of its own",),
        )

    def _no_refusal(self, hop_s: int) -> None:
        """A window came: if nothing was refused since the one before, that counts towards the end."""
        if self._state.refused:
            self._state = replace(self._state, refused=False)
            return
        alarm, rule = self._alarms.get("input_refused"), self._rules["input_refused"]
        if alarm is not None:
            self._clean(alarm, windows_in(rule.end_clean_s, hop_s))
        elif self._state.refusals:
            refusals = (*self._state.refusals, None)[-windows_in(rule.of_s, hop_s) :]
            self._state = replace(self._state, refusals=refusals if any(refusals) else ())

    def _has_gone(self, condition: Condition, origin: Origin, shown: Origin, at_ns: int) -> bool:
        """Return whether what a window does not show has gone from the run that had shown it.

        Two devices under one name see two patients, or two sides of one: what one does not see, the other still may.
        """
        if shown.stream is None or shown.stream == origin.stream or condition in OF_ALL_STREAMS:
            return True
        run = next((each for each in self._state.streams if each.key == shown.stream), None)
        if run is None:
            return True
        return run.seen_ns <= at_ns - (PRESENT_NS if run.device == origin.device else REPLACED_NS)

    # --- conditions ---

    def _follow(
        self, condition: Condition, observation: Observation | None, origin: Origin, at_ns: int, *, end_clean: int
    ) -> None:
        """A window that can tell of a condition whose alarm is open."""
        alarm = self._alarms[condition]
        if observation is not None:
            self._alarms[condition] = alarm.seen(observation, origin)
            if not alarm.present:
                self._put(self._alarms[condition], "update")
        elif condition in BY_SILENCE:
            self._end(condition, ("heard again",))
        elif at_ns > alarm.sight.last_ns and self._has_gone(condition, origin, alarm.origin, at_ns):
            # Else it tells of a time before, or of another's signal.
            self._clean(alarm, end_clean)

    def _clean(self, alarm: Alarm, end_clean: int) -> None:
        """A window without the condition of an alarm: enough in a row end it, or leave it latched."""
        stays = self._rules[alarm.condition].latching and alarm.asks and alarm.acknowledged_by is None
        if stays and not alarm.present:
            return
        alarm = self._alarms[alarm.condition] = replace(alarm, clean=alarm.clean + 1)
        if alarm.clean < end_clean:
            return
        if stays:
            self._put(replace(alarm, present=False), "update")
        else:
            self._end(alarm.condition)

    def _start(
        self, condition: Condition, seen: list[Observation], origin: Origin, *, windows: int | None = None
    ) -> None:
        best = max(seen, key=lambda observation: -1.0 if observation.score is None else observation.score)
        priority = self._rules[condition].priority
        held = self._state.silenced_until_ns is not None and priority != "high"
        alarm = Alarm(
            id=f"{origin.verdict}/{condition}",
            condition=condition,
            onset_ns=min(observation.onset_ns for observation in seen),
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
        observation = Observation(onset_ns=seen_ns, last_ns=seen_ns, reasons=(label_of(condition),))
        self._start(condition, [observation], Origin(verdict=self._state.verdict, models={}))

    # --- people ---

    def _command_all(self, command: AlertCommand) -> str | None:
        """Silence or unsilence all of the patient's alarms; one that is high starts with its sound all the same."""
        alarms = [alarm for alarm in self._alarms.values() if alarm.acknowledged_by is None]
        if command.action == "silence":
            until_ns = self._now_ns + round((command.duration_s or 0) * NS)
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
        until_ns = self._now_ns + round((command.duration_s or 0) * NS)
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
        self._alarms[alarm.condition] = self._emit(alarm, phase)

    def _end(self, condition: Condition, why: tuple[str, ...] = ()) -> None:
        self._emit(self._alarms.pop(condition), "end", why)
        self._ended[condition] = self._now_ns

    def _emit(self, alarm: Alarm, phase: AlarmPhase, why: tuple[str, ...] = ()) -> Alarm:
        shown, alert = one.emit(
            alarm,
            phase,
            patient=self._state.patient,
            device=alarm.origin.device or self._state.device,
            now_ns=self._now_ns,
            why=why,
        )
        self.alerts.append(alert)
        return shown


def _origin(event: Verdict | Urgent, run: Stream | None) -> Origin:
    verdict = event if isinstance(event, Verdict) else None
    return Origin(
        verdict=event.id,
        device=event.device,
        stream=run.key if run else None,
        lead=event.lead,
        models=verdict.models if verdict else {},
        quality=event.quality,
        heart_rate_bpm=verdict.heart_rate_bpm if verdict else None,
    )


def _awaited(
    recent: dict[Condition, tuple[Observation | None, ...]],
    condition: Condition,
    rule: Rule,
    observation: Observation | None,
    hop_s: int,
) -> bool:
    """Return whether a condition without an alarm was there for long enough; notes in ``recent`` what is seen."""
    last = (*recent.get(condition, ()), observation)[-windows_in(rule.of_s, hop_s) :]
    last = tuple(dropwhile(lambda each: each is None, last))
    if last:
        recent[condition] = last
    else:
        recent.pop(condition, None)
    return observation is not None and sum(each is not None for each in last) >= windows_in(rule.start_s, hop_s)
