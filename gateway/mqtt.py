"""Chunks by MQTT 5: topic ``ecg/<patient>/<device>``, acknowledged (QoS 1) when Kafka has them.

The MQTT broker lets devices in and says who may publish where; here the device that the topic names must be in the
file of devices, for that patient. The subscription is shared, so that several gateways share the work: then the chunks
of one patient come to any of them, and each is looked for in the topic before it is stored, as with HTTP.
"""

import asyncio
import ssl
from typing import NoReturn

import aiomqtt
import structlog
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from bus.clients import BrokerError
from bus.samples import MARKER, BadChunkError, Chunk
from bus.trace_context import trace_context_of
from gateway import answers
from gateway.forms import AVRO, INT16, JSON, from_avro, from_int16, from_json
from gateway.intake import Session
from gateway.parts import Parts
from gateway.refusals import RefusedError
from gateway.senders import Sender
from ops.clock import Clock

RETRY_S = 0.5  # before the next try when the MQTT broker is away
SESSION_S = 86_400  # that the MQTT broker keeps what came while a gateway of a lasting name is away
_NO_LOCAL = SubscribeOptions(qos=1)

log = structlog.get_logger(__name__)


class MqttIntake:
    """Takes in what devices publish.

    Parameters
    ----------
    host : of the MQTT broker
    """

    def __init__(self, parts: Parts, *, host: str, clock: Clock) -> None:
        self._parts = parts
        self._host = host
        self._clock = clock

    async def run(self) -> NoReturn:
        """Take in for ever; a broker that goes away, MQTT's or Kafka's, is waited for."""
        while True:
            try:
                await self._serve()
            except* (aiomqtt.MqttError, BrokerError) as errors:
                log.warning("mqtt", error=str(errors.exceptions[0]))
            await self._clock.sleep(RETRY_S)

    async def _serve(self) -> None:
        """Take in over one connection; ends when it does, or when Kafka does not take what came."""
        settings = self._parts.settings
        password = settings.mqtt_password
        client = aiomqtt.Client(
            self._host,
            settings.mqtt_port,
            username=settings.mqtt_username,
            password=password.get_secret_value() if password else None,
            identifier=settings.instance,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=settings.instance is None,
            properties=_connect_properties(settings.unacknowledged, lasting=settings.instance is not None),
            tls_context=ssl.create_default_context() if settings.mqtt_tls else None,
        )
        # aiomqtt hands no way to it out: paho acknowledges each message when it is taken from the socket, otherwise.
        client._client.manual_ack_set(on=True)  # noqa: SLF001
        topic = f"$share/{settings.mqtt_group}/{settings.mqtt_topic}/+/+"
        async with client, asyncio.TaskGroup() as group:
            await client.subscribe(topic, options=_NO_LOCAL)
            log.info("mqtt", broker=f"{self._host}:{settings.mqtt_port}", topic=topic)
            with self._parts.metrics.mqtt_connected.track_inprogress():
                async for message in client.messages:
                    # Side by side, and those of one patient in turn: the intake sees to that.
                    group.create_task(self._take(client, message))

    async def _take(self, client: aiomqtt.Client, message: aiomqtt.Message) -> None:
        answer = await self._answer(message)
        client._client.ack(message.mid, message.qos)  # noqa: SLF001  # see above
        properties = message.properties
        topic, correlation = (getattr(properties, name, None) for name in ("ResponseTopic", "CorrelationData"))
        if topic is not None:
            back = _properties(PacketTypes.PUBLISH)
            if correlation is not None:
                back.CorrelationData = correlation
            await client.publish(topic, answer.model_dump_json(), properties=back)

    async def _answer(self, message: aiomqtt.Message) -> answers.Answer:
        """Store a chunk, and say so; raises only where it would be stored later."""
        parts = self._parts
        chunk: Chunk | None = None
        *_, patient, name = message.topic.value.split("/")
        try:
            sender = parts.senders.named(name)
            chunk = self._chunk(message, patient=patient, sender=sender)
            handed = await parts.intake.hand_over(
                Session(), sender, chunk, way="mqtt", trace=trace_context_of(_user_properties(message))
            )
        except (BadChunkError, RefusedError) as error:
            code = error.code if isinstance(error, RefusedError) else "malformed"
            parts.metrics.refused.labels(code).inc()
            log.info("mqtt_refused", code=code)
            start_index = chunk.start_index if chunk else None
            return answers.Refusal(patient=patient, start_index=start_index, code=code, detail=str(error))
        await parts.intake.stored(handed)
        return answers.Acknowledgement(
            patient=chunk.patient,
            start_index=chunk.start_index,
            next_index=handed.next_index,
            stored=handed.stored,
            repeated=handed.repeated,
            lost=handed.lost,
        )

    def _chunk(self, message: aiomqtt.Message, *, patient: str, sender: Sender) -> Chunk:
        parts, body = self._parts, message.payload
        parts.metrics.bytes.inc(len(body))
        if (wait_s := sender.budget.wait_s(parts.clock.monotonic_s())) > 0:
            raise RefusedError("budget", f"device {sender.name!r} has sent more than it may: wait {wait_s:.1f} s")
        said = dict(_user_properties(message)) | {"patient": patient}
        kind = getattr(message.properties, "ContentType", None) or (AVRO if body.startswith(MARKER) else JSON)
        if kind == INT16:
            chunk = from_int16(body, said, device=sender.name)
        elif kind == AVRO:
            chunk = from_avro(body, device=sender.name)
        else:
            chunk = from_json(body, said, device=sender.name)
        sender.budget.take(size=len(body), samples=chunk.samples.size)
        if chunk.patient != patient:
            raise BadChunkError(f"the chunk is of patient {chunk.patient!r}, the topic of {patient!r}: make them agree")
        return chunk


def _user_properties(message: aiomqtt.Message) -> list[tuple[str, str]]:
    return list(getattr(message.properties, "UserProperty", ()))


def _properties(packet: int) -> Properties:
    return Properties(packet)  # type: ignore[no-untyped-call] # paho types all but this


def _connect_properties(in_flight: int, *, lasting: bool) -> Properties:
    properties = _properties(PacketTypes.CONNECT)
    properties.ReceiveMaximum = in_flight
    if lasting:
        properties.SessionExpiryInterval = SESSION_S
    return properties
