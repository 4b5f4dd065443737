"""Alerts for tests."""

from bus.messages import Alert
from tests.alerting.verdicts import HOP_NS, START_NS


def alert(**changes: object) -> Alert:
    """The start of an alarm about abnormal windows, with some fields changed."""
    fields: dict[str, object] = {
        "id": f"p1/{START_NS}/1/abnormal_window",
        "sequence": 0,
        "patient": "p1",
        "device": "holter",
        "lead": "MLII",
        "condition": "abnormal_window",
        "label": "abnormal ECG",
        "mdc": None,
        "kind": "physiological",
        "phase": "start",
        "state": "active",
        "priority": "low",
        "escalations": 0,
        "onset_ns": START_NS,
        "last_ns": START_NS + 2 * HOP_NS,
        "returned_ns": None,
        "detected_ns": START_NS + 2 * HOP_NS,
        "told_ns": START_NS + 2 * HOP_NS,
        "end_ns": None,
        "windows": 2,
        "score": 0.9,
        "threshold": 0.5,
        "value": 0.9,
        "limit": 0.5,
        "unit": "probability",
        "heart_rate_bpm": 72.0,
        "quality": None,
        "models": {},
        "reasons": ("2 ventricular beats",),
        "verdict": f"p1/{START_NS}/1",
        "acknowledged_by": None,
        "acknowledged_ns": None,
        "silenced_by": None,
        "silenced_until_ns": None,
    }
    return Alert.model_validate(fields | changes)
