"""Verdicts, alerts and results as readable lines; times are UTC."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import singledispatch
from typing import TYPE_CHECKING, Any, get_args

from rich.text import Text

from bus.messages import AlarmPhase, Alert, Message, Urgent, Verdict
from ecgstream.failures import shown

if TYPE_CHECKING:
    from alerting.delivery.channels import Channel
    from alerting.history.reading import Life  # it brings SQLAlchemy, which few commands need

STYLES = {"normal": "green", "abnormal": "bold red", "unusable": "yellow"}
PRIORITY_STYLES = {"high": "bold white on red", "medium": "bold yellow", "low": "cyan", "information": "dim"}
MAX_SHOWN = 80  # characters of a field; a dead letter holds 64 KiB of what was sent
SHOWN_REASONS = 3  # of an alert: one that lasts gathers many


def time_of(t_ns: int) -> str:
    """A time in nanoseconds UTC as text, to the millisecond."""
    seconds, rest_ns = divmod(t_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{rest_ns // 1_000_000:03d}Z"


def rate_of(bpm: float | None) -> str:
    """A heart rate as text."""
    return "  -/min" if bpm is None else f"{bpm:3.0f}/min"


@singledispatch
def line_of(message: Message) -> tuple[str, str]:
    """Return a message as one line, and the style it is printed in: a model without words of its own by its fields."""
    fields = {name: value for name, value in message.as_json().items() if value not in (None, [], {})}
    fields.pop("schema_version", None)
    return "  ".join(f"{name}={str(value)[:MAX_SHOWN]}" for name, value in fields.items()), ""


@line_of.register
def _(message: Verdict) -> tuple[str, str]:
    return verdict_line(message), STYLES[message.decision]


@line_of.register
def _(message: Urgent) -> tuple[str, str]:
    return urgent_line(message), PRIORITY_STYLES["high"]


@line_of.register
def _(message: Alert) -> tuple[str, str]:
    return alert_line(message), PRIORITY_STYLES[message.priority]


def verdict_line(verdict: Verdict) -> str:
    """A verdict as one line."""
    score = "    " if verdict.fused is None else f"{verdict.fused:.2f}"
    reasons = "; ".join(verdict.reasons)
    return (
        f"{time_of(verdict.start_ns)}  {verdict.patient:<12} {verdict.decision:<8} {score}  "
        f"{rate_of(verdict.heart_rate_bpm)}  {reasons}"
    ).rstrip()


def urgent_line(urgent: Urgent) -> str:
    """An urgent message as one line."""
    return f"{time_of(urgent.end_ns)}  {urgent.patient:<12} URGENT {'; '.join(urgent.reasons)}, lead {urgent.lead}"


def alert_line(alert: Alert) -> str:
    """A message about an alert as one line."""
    reasons = "; ".join(alert.reasons[:SHOWN_REASONS]) + ("; ..." if len(alert.reasons) > SHOWN_REASONS else "")
    length_s = (alert.last_ns - alert.onset_ns) / 1e9
    return (
        f"{time_of(alert.onset_ns)}  {alert.patient:<12} ALERT {alert.phase:<8} {alert.priority:<6} {alert.label}, "
        f"{alert.state}, {length_s:.0f} s, {rate_of(alert.heart_rate_bpm).strip()}: {reasons}"
    ).rstrip(": ")


def alarm_lines(alert: Alert) -> tuple[str, str]:
    """An alarm as it stands, and below it its id, for who wants to do something about it."""
    who = f" by {alert.acknowledged_by}" if alert.acknowledged_by else ""
    until = f" until {time_of(alert.silenced_until_ns)}" if alert.silenced_until_ns is not None else ""
    why = "; ".join(alert.reasons[:SHOWN_REASONS])
    stands = f"{alert.priority:<11} {alert.state}{who}{until}"
    return f"{stands}  {alert.patient}  {alert.label} since {time_of(alert.onset_ns)}: {why}", f"            {alert.id}"


def alarm_list(found: Iterable[Alert], *, if_none: str) -> list[Text]:
    """Alarms as they stand, in the colours of their priorities."""
    lines = [Text(line, style=PRIORITY_STYLES[alert.priority]) for alert in found for line in alarm_lines(alert)]
    return lines or [Text(if_none)]


def life_lines(life: "Life") -> list[str]:
    """An alarm's whole life: where it stands, what was told and what was asked for."""
    lines = [*alarm_lines(life.newest), "told (time of the recording; when it was sent)"]
    for event, emitted_ns in zip(life.events, life.emitted_ns, strict=True):
        why = "; ".join(event.reasons[:SHOWN_REASONS])
        stands = f"{event.phase:<11}  {event.priority:<11}  {event.state:<12}"
        lines.append(f"  {time_of(event.told_ns)}  {time_of(emitted_ns)}  {stands}  {why}".rstrip())
    if life.missing:
        lines.append(f"  {life.missing} messages are not here: Kafka had dropped them before the history read them")
    if life.actions:
        lines.append("asked for (time of the sender)")
    for action in life.actions:
        length = "" if action.duration_s is None else f" for {action.duration_s:g} s"
        lines.append(f"  {time_of(action.sent_ns)}  {action.action}{length} by {action.by}")
    return lines


def delivery_line(row: Mapping[str, Any]) -> str:
    """A delivery as one line."""
    when = time_of(row["done_ns"] or row["queued_ns"])
    tried = f", tried {row['attempts']} times" if row["attempts"] > 1 else ""
    why = f": {row['error']}" if row["error"] else ""
    return f"{row['state']:<7}  {when}  {row['channel']}  {row['alarm']} message {row['sequence']}{tried}{why}"


def channel_line(name: str, channel: "Channel | None", stands: Mapping[str, int] | None) -> str:
    """A channel as one line; None for one that the file does not name, or that has had nothing yet."""
    counts = ", ".join(f"{count} {state}" for state, count in (stands or {}).items()) or "nothing yet"
    if channel is None:
        return f"{name}  no longer in the file: {counts}"
    phases = "all phases" if channel.phases >= set(get_args(AlarmPhase)) else ", ".join(sorted(channel.phases))
    return f"{name}  {channel.kind}, {channel.min_priority} and above, {phases}: {counts}"


def summary_line(summary: Mapping[str, Any]) -> str:
    """The demo's summary as one line."""
    latency = summary["latency_ms"]
    late = "" if latency["p50"] is None else f", latency p50 {latency['p50']:.0f} ms, p99 {latency['p99']:.0f} ms"
    return (
        f"{summary['patients']} patients, {summary['samples']} samples, {summary['windows']} windows, "
        f"{summary['anomalies']} anomalies, {summary['alerts']} alerts{late}, "
        f"lost {summary['lost']}, duplicated {summary['duplicated']}"
    )


def result_lines(result: Mapping[str, Any]) -> list[str]:
    """Return what a file's scoring found."""
    aggregate = result["aggregate"]
    sure = "" if aggregate["confidence"] is None else f" (confidence {aggregate['confidence']:.2f})"
    judged = Counter(window["lead"] for window in result["windows"] if window["lead"] is not None)
    on = ", ".join(f"{lead} ({count})" for lead, count in judged.most_common())
    counted = f"{len(result['windows'])} windows, {len(result['beats'])} beats, {result['seconds']:.0f} s"
    lines = [
        f"{shown(result['file'])}: {aggregate['decision']}{sure}: {aggregate['reason']}",
        f"  {counted} of {', '.join(result['leads'])} at {result['fs_hz']:g} Hz; windows judged on {on or 'no lead'}",
    ]
    lines += [f"  {remark}" for remark in result["remarks"]]
    if burden := result.get("atrial_fibrillation"):
        lines.append(f"  {burden['share']:.0%} of the time in atrial fibrillation")
    lines += [_finding_line(finding) for finding in result["findings"]]
    lines += [
        f"  {window['start_s']:8.1f} s  {window['decision']}"
        + ("" if window["fused"] is None else f" {window['fused']:.2f}")
        + f"  {'; '.join(window['reasons'])}"
        for window in result["windows"]
        if window["decision"] != "normal"
    ]
    return lines


def _finding_line(finding: Mapping[str, Any]) -> str:
    rate = "" if finding["rate_bpm"] is None else f" at {finding['rate_bpm']:.0f}/min"
    on = "" if finding["lead"] is None else f", on {finding['lead']}"
    return (
        f"  {finding['start_s']:8.1f} to {finding['end_s']:8.1f} s  "
        f"{finding['kind'].replace('_', ' ')}{rate}, {finding['priority']} priority{on}"
    )
