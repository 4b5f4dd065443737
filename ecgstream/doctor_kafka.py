"""Checks of Kafka for ``ecgstream doctor``: broker, topics, senders, clock."""

from collections.abc import Sequence

from bus.settings import KafkaSettings
from bus.topics import SAMPLES
from ecg.errors import EcgStreamError
from ecgstream.finding import Finding, tried

CONNECT_S = 3.0  # a broker that is there answers within a tenth of it
APART_S = 5.0  # between the broker's clock and this machine's, the way of a message included


async def examine_kafka(settings: KafkaSettings) -> list[Finding]:
    """Return what is found of the broker, the topics and what lies in them."""
    from bus.topic_admin import cluster_id, hidden_topics, topic_differences
    from bus.topics import TOPICS

    quick = settings.model_copy(update={"connect_timeout_s": min(settings.connect_timeout_s, CONNECT_S)})

    async def broker() -> Finding:
        await cluster_id(quick)
        return Finding(check="broker", ok=True, found=f"Kafka answers at {settings.bootstrap_servers}")

    findings = [await tried("broker", broker)]
    if not findings[0].ok:
        return findings

    async def topics() -> Finding:
        hidden = await hidden_topics(quick)
        if hidden:
            return await _seen_topics(quick, hidden)
        different = await topic_differences(quick)
        if different:
            return Finding(
                check="topics",
                ok=False,
                found="; ".join(map(str, different)),
                remedy="; ".join(dict.fromkeys(each.remedy for each in different)),
            )
        return Finding(check="topics", ok=True, found=f"{len(TOPICS)} topics of {settings.partitions} partitions each")

    findings.append(await tried("topics", topics))
    if not findings[-1].ok and "is missing" in findings[-1].found:
        return findings
    return findings + await _samples(quick)


async def _seen_topics(settings: KafkaSettings, hidden: Sequence[str]) -> Finding:
    """Return what a user finds who may not see all topics: a service, where rights are asked for."""
    from bus.topic_admin import await_topics
    from bus.topics import TOPICS

    seen = [topic.name for topic in TOPICS if topic.name not in hidden]
    await await_topics(settings, seen)
    return Finding(
        check="topics",
        ok=True,
        found=f"the {len(seen)} topics that {settings.sasl_username or 'this user'} may see have "
        f"{settings.partitions} partitions each; 'ecgstream topics check' as administrator sees all",
    )


async def _samples(settings: KafkaSettings) -> list[Finding]:
    """Return what the newest samples show: the senders' partitioner, and the broker's clock."""
    from bus.samples_probe import probe_samples
    from bus.topic_admin import readable

    if not await readable(settings, SAMPLES):
        return [Finding(check="senders", ok=True, found=f"not known: {settings.sasl_username} may not read samples")]
    try:
        probe = await probe_samples(settings)
    except EcgStreamError as error:
        return [Finding(check="senders", ok=False, found=str(error), remedy="see whether the broker runs")]
    wrong = [f"{probe.keyless} without a key"] * bool(probe.keyless)
    wrong += [f"in the wrong partition: {', '.join(probe.misplaced[:5])}"] * bool(probe.misplaced)
    senders = Finding(
        check="senders",
        ok=not wrong,
        found="; ".join(wrong) or f"the newest {probe.messages} messages lie where their keys belong",
        remedy="key each message with its patient id, and set partitioner=murmur2_random (librdkafka, kcat -X); the "
        "detector refuses what lies elsewhere"
        if wrong
        else "",
    )
    ahead_s = probe.broker_ahead_s
    if ahead_s is None:
        found, ok = "not known while nobody sends", True
    else:
        found, ok = (
            f"{abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's",
            abs(ahead_s) <= APART_S,
        )
    clock = Finding(
        check="broker's clock",
        ok=ok,
        found=found,
        remedy="" if ok else "set both clocks by NTP: the broker's time counts",
    )
    return [senders, clock]
