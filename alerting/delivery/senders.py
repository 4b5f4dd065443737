"""The way out of each kind of channel. A kind's libraries are loaded when a channel needs them."""

from sqlalchemy import URL

from alerting.delivery.channels import AppriseChannel, Channel, FhirChannel, WebhookChannel
from alerting.delivery.sending import Sender
from ops.clock import Clock


def sender_of(name: str, channel: Channel, *, clock: Clock, database: URL) -> Sender:
    """What delivers over a channel.

    Parameters
    ----------
    name, channel : as the channels file has them
    clock : for signatures
    database : of the alarm history

    Raises
    ------
    ChannelsError : when it can never deliver: an address that nobody knows, certificates that cannot be read
    """
    match channel:
        case AppriseChannel():
            from alerting.delivery.notices import AppriseSender  # noqa: PLC0415 # 200 services, seconds to load

            return AppriseSender(name, channel)
        case WebhookChannel():
            from alerting.delivery.webhook import WebhookSender  # noqa: PLC0415 # see the module

            return WebhookSender(channel, clock=clock)
        case FhirChannel(url=None, file=file) if file is not None:
            from alerting.delivery.fhir_delivery import FhirFileSender  # noqa: PLC0415 # see the module

            return FhirFileSender(file, database)
        case FhirChannel(url=url) if url is not None:
            from alerting.delivery.fhir_delivery import FhirServerSender  # noqa: PLC0415 # see the module

            return FhirServerSender(url.get_secret_value(), channel, database)
    raise TypeError(f"no way out for {type(channel).__name__}")
