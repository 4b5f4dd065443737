"""An alarm's message in words, for people who get it by mail, chat or phone."""

from datetime import UTC, datetime

from bus.messages import Alert

SHOWN_REASONS = 5


def title(alert: Alert) -> str:
    """Return the message's subject, one line."""
    happened = {"start": "", "continue": "still: ", "update": "", "escalate": "nobody has come: ", "de-escalate": ""}
    ended = "ended: " if alert.phase == "end" else happened[alert.phase]
    return f"{alert.priority.upper()} {ended}{alert.label}, {alert.patient}"


def body(alert: Alert) -> str:
    """All that a person needs to judge it, a line each."""
    lines = [
        f"{alert.label}: {alert.kind} alarm, priority {alert.priority}, {alert.state}",
        f"patient {alert.patient}, device {alert.device}" + (f", lead {alert.lead}" if alert.lead else ""),
        f"since {_time(alert.onset_ns)}" + (f", ended {_time(alert.end_ns)}" if alert.end_ns is not None else ""),
    ]
    if alert.value is not None:
        limit = f", limit {alert.limit:g}" if alert.limit is not None else ""
        lines.append(f"measured {alert.value:.4g}{_unit(alert.unit)}{limit}")
    if alert.heart_rate_bpm is not None and alert.unit != "/min":
        lines.append(f"heart rate {alert.heart_rate_bpm:.0f}/min")
    if alert.reasons:
        more = len(alert.reasons) - SHOWN_REASONS
        lines.append("; ".join(alert.reasons[:SHOWN_REASONS]) + (f"; {more} more" if more > 0 else ""))
    if alert.acknowledged_by:
        lines.append(f"acknowledged by {alert.acknowledged_by}")
    lines += [f"alarm {alert.id}", "ecgstream, not a medical device"]
    return "\n".join(lines)


def _unit(unit: str | None) -> str:
    return {None: "", "/min": "/min"}.get(unit, f" {unit}")


def _time(t_ns: int) -> str:
    """A time of the recording, UTC, to the second; as nanoseconds where no calendar has it."""
    try:
        return f"{datetime.fromtimestamp(t_ns // 1_000_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{t_ns} ns"
