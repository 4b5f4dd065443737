"""The list of rights: in step with the table of topics, and no wider than what a service uses."""

from bus.access import Operation, Pattern, Resource, Right, access, rights
from bus.settings import KafkaSettings
from bus.topics import TOPICS, used_by

SERVICES = ("producer", "gateway", "detector", "alerting", "web")


def test_every_service_may_use_the_topics_that_the_table_gives_it_and_no_other() -> None:
    listed = access()
    for service in SERVICES:
        assert {*listed[service].read, *listed[service].write} == set(used_by(service)), service


def test_only_topics_that_there_are_can_be_read_or_written() -> None:
    known = {topic.name for topic in TOPICS}
    for user, may in access().items():
        assert {*may.read, *may.write} <= known, user


def test_whoever_reads_along_writes_nothing() -> None:
    reader = access()["reader"]
    assert (reader.write, reader.groups, reader.transactions) == ((), (), ())


def test_the_prefix_of_an_installation_stands_before_users_and_things() -> None:
    found = rights(KafkaSettings(_env_file=None, topic_prefix="ward7."))
    assert Right("ward7.producer", Resource.TOPIC, "ward7.ecg.samples", Pattern.LITERAL, Operation.WRITE) in found
    owned = Right("ward7.detector", Resource.TRANSACTIONAL_ID, "ward7.detector-", Pattern.PREFIXED, Operation.WRITE)
    assert owned in found
    assert str(owned) == "ward7.detector: write every transactional id ward7.detector-"
    assert all(right.user.startswith("ward7.") and right.name.startswith("ward7.") for right in found)


def test_a_right_that_is_none_of_ours_can_be_told_too() -> None:
    assert str(Right("web", 4, "kafka-cluster", 3, 12)) == "web: another operation thing kafka-cluster"
