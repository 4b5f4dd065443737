"""A message that tells of no alarm: over a channel, to see whether it comes out."""

import uuid

from sqlalchemy import URL

from alerting.delivery.channels import Channel
from alerting.delivery.sending import Delivery
from bus.messages import Alert
from ops.clock import Clock

PATIENT = "ecgstream-test"


def trial(name: str, channel: Channel, *, clock: Clock, database: URL) -> None:
    """Send a test message once, whatever the channel's filter and rate limit; blocks.

    Raises
    ------
    ChannelsError : when the channel can never deliver
    SendError : when it did not
    """
    now_ns = clock.now_ns()
    alarm = f"{PATIENT}/{uuid.uuid4()}"
    known = {
        "id": alarm,
        "sequence": 0,
        "patient": PATIENT,
        "device": "none",
        "condition": "source_stopped",
        "label": "test of this channel, no alarm",
        "kind": "technical",
        "phase": "start",
        "state": "active",
        "priority": "information",
        "escalations": 0,
        "windows": 0,
        "models": {},
        "reasons": ("somebody tries whether messages arrive",),
        "verdict": "",
    } | dict.fromkeys(("onset_ns", "last_ns", "detected_ns", "told_ns"), now_ns)
    unknown = dict.fromkeys(name for name, field in Alert.model_fields.items() if field.is_required())
    alert = Alert.model_validate(unknown | known)
    sender = channel.sender(name, clock=clock, database=database)
    try:
        sender.send(
            Delivery(
                id=0,
                channel=name,
                alarm=alarm,
                sequence=0,
                attempts=1,
                queued_ns=now_ns,
                published_ns=now_ns,
                message=alert.to_bytes().decode(),
            )
        )
    finally:
        sender.close()
