"""TLS and SASL: on a real broker, and what is said when they are set up wrong."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from bus.broker import LocalBroker
from bus.broker_config import BrokerSecurity
from bus.clients import BrokerError, KafkaPublisher, KafkaReader, connection_arguments, create_topics
from bus.interfaces import Outgoing
from bus.settings import KafkaSettings
from bus.topics import SAMPLES

TLS = Path(__file__).parents[1] / "support" / "tls"
USER = {"sasl_username": "ward", "sasl_password": SecretStr("correct horse")}


def settings(**values: Any) -> KafkaSettings:
    return KafkaSettings(_env_file=None, **values)


@pytest.mark.broker
async def test_scram_over_tls_on_a_real_broker() -> None:
    security = BrokerSecurity(users={"ward": "correct horse"}, keystore=TLS / "broker.pem")
    async with LocalBroker(security=security) as broker:
        good = settings(
            bootstrap_servers=broker.bootstrap, security_protocol="SASL_SSL", ssl_cafile=TLS / "ca.pem", **USER
        )
        await create_topics(good)
        async with KafkaPublisher(good) as publisher:
            await publisher.send(Outgoing(topic=SAMPLES, key=b"p1", value=b"secret"))
        async with KafkaReader(good, [SAMPLES], start="beginning") as reader:
            assert [message.value async for message in reader.to_end()] == [b"secret"]

        wrong_password = good.model_copy(update={"sasl_password": SecretStr("wrong")})
        with pytest.raises(BrokerError, match="refuses the user 'ward' or the password") as caught:
            await create_topics(wrong_password)
        assert "wrong" not in str(caught.value)
        with pytest.raises(BrokerError, match="does not offer the SASL mechanism PLAIN"):
            await create_topics(good.model_copy(update={"sasl_mechanism": "PLAIN"}))
        with pytest.raises(BrokerError, match="certificate is not trusted"):
            await create_topics(good.model_copy(update={"ssl_cafile": TLS / "other-ca.pem"}))
        plain = good.model_copy(update={"security_protocol": "PLAINTEXT", "connect_timeout_s": 1.0})
        with pytest.raises(BrokerError, match=f"no Kafka at {broker.bootstrap}"):
            await create_topics(plain)


def test_plain_connections_take_nothing_but_addresses() -> None:
    assert connection_arguments(settings(bootstrap_servers="a:1, [::1]:2")) == {
        "bootstrap_servers": ["a:1", "[::1]:2"],
        "security_protocol": "PLAINTEXT",
    }


@pytest.mark.parametrize(
    "address", ["", "kafka", "kafka:", ":9092", "kafka:port", "kafka:0", "kafka:70000", "a:1,,b:2"]
)
def test_an_address_that_is_none_is_told(address: str) -> None:
    with pytest.raises(BrokerError, match="is not host:port: write it like"):
        connection_arguments(settings(bootstrap_servers=address))


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"ssl_cafile": "missing.pem"}, "ssl_cafile='.*missing.pem': No such file or directory: name a PEM file"),
        ({"ssl_cafile": "README.md"}, "ssl_cafile='.*README.md' cannot be used"),
        ({"ssl_certfile": "missing.pem"}, "ssl_certfile='.*missing.pem': No such file"),
        ({"ssl_certfile": "broker.pem", "ssl_keyfile": "missing.pem"}, "ssl_keyfile='.*missing.pem': No such file"),
        ({"ssl_certfile": "broker.pem", "ssl_keyfile": "ca.pem"}, "ssl_certfile='.*broker.pem' cannot be used"),
    ],
)
def test_a_tls_file_that_is_no_use_is_named(files: dict[str, str], says: str) -> None:
    paths = {setting: TLS / name for setting, name in files.items()}
    with pytest.raises(BrokerError, match=says):
        connection_arguments(settings(security_protocol="SSL", **paths))


def test_a_client_certificate_is_loaded() -> None:
    arguments = connection_arguments(
        settings(security_protocol="SSL", ssl_cafile=TLS / "ca.pem", ssl_certfile=TLS / "broker.pem")
    )
    assert arguments["ssl_context"].check_hostname
    assert len(arguments["ssl_context"].get_ca_certs()) >= 1


def test_sasl_without_a_password_is_refused() -> None:
    with pytest.raises(ValidationError, match="needs a name and a password"):
        settings(security_protocol="SASL_SSL", sasl_username="ward")


def test_a_password_is_not_shown() -> None:
    secured = settings(security_protocol="SASL_PLAINTEXT", **USER)
    assert "correct horse" not in repr(secured)
    assert connection_arguments(secured)["sasl_plain_password"] == "correct horse"
