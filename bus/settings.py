"""Settings of Kafka: from options, the environment (``ECGSTREAM_...``) or a ``.env`` file, in that order."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ops.secret_files import SecretSetting


class KafkaSettings(BaseSettings):
    """The connection, shared by every service.

    Attributes
    ----------
    bootstrap_servers : host:port, several separated by commas
    partitions : partition count of every topic when this program creates it; one count for all, so that a
        patient's samples, verdicts and alerts stay together; more detectors than partitions cannot work
    replication : replicas of each topic when this program creates it
    topic_prefix : stands before every topic's name ("ward7." gives ``ward7.ecg.samples``), so that several
        installations can share a cluster
    connect_timeout_s : how long to try to reach the brokers at start, s
    partition_timeout_s : how long taking a partition over, or one commit, may take before it is given up and tried
        anew, s
    schemas_dir : folder of further Avro schemas (``.avsc``) in which senders write chunks
    security_protocol, sasl_*, ssl_* : TLS and SASL, as Kafka names them; ``file:/path`` names a file with the password
    """

    model_config = SettingsConfigDict(env_prefix="ECGSTREAM_", env_file=".env", extra="ignore", frozen=True)

    bootstrap_servers: str = "127.0.0.1:9092"
    partitions: int = Field(default=4, ge=1, le=1000)
    replication: int = Field(default=1, ge=1, le=9)
    topic_prefix: str = Field(default="", pattern=r"^[A-Za-z0-9._-]{0,128}$")
    connect_timeout_s: float = Field(default=30.0, gt=0)
    partition_timeout_s: float = Field(default=30.0, gt=0)
    schemas_dir: Path | None = None
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-256"
    sasl_username: str | None = None
    sasl_password: SecretSetting = None
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None

    @model_validator(mode="after")
    def _sasl_is_whole(self) -> Self:
        if self.security_protocol.startswith("SASL") and not (self.sasl_username and self.sasl_password):
            raise ValueError(
                f"security_protocol={self.security_protocol} needs a name and a password: "
                "set ECGSTREAM_SASL_USERNAME and ECGSTREAM_SASL_PASSWORD"
            )
        return self

    def topic(self, name: str) -> str:
        """The name that a topic of ``bus.topics`` has on this installation's cluster."""
        return self.topic_prefix + name
