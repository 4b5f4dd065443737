"""Settings of the gateway: options, the environment (``ECGSTREAM_GATEWAY_...``) or ``.env``."""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class GatewaySettings(BaseSettings):
    """Settings of the gateway.

    Attributes
    ----------
    host, port : where it listens; port 0 takes a free one
    devices : TOML file of the devices and their tokens (``gateway/devices.py``)
    start_token : where nobody has set up devices: draw a token for all patients at every start, and log it
    tls_cert, tls_key : PEM files of the certificate with its chain, and of its key
    trusted_proxies : addresses or networks whose X-Forwarded headers count, separated by commas
    cors_origins : pages whose scripts may send with a device's token, separated by commas; "*" for all
    message_kb : the largest body or WebSocket message, kB
    bytes_per_s, samples_per_s : what one device may send, samples of all leads counted, after a store of half a minute
        is used up: what was recorded while there was no connection comes faster than it was taken
    connections_per_device : WebSockets of one device at a time
    unacknowledged : chunks of one WebSocket that may wait for Kafka at a time
    instance : unique, stable name of this gateway (``ECGSTREAM_INSTANCE``), for which the MQTT broker keeps what comes
        while it is started anew
    mqtt_host, mqtt_port : the MQTT broker; None for none
    mqtt_username, mqtt_password : as which the gateway signs in there
    mqtt_tls : whether by TLS, with the system's certificate authorities
    mqtt_topic : the first part of the topics: ``ecg/<patient>/<device>``
    mqtt_group : of the shared subscription: gateways of one share the work
    lsl : take in every Lab Streaming Layer stream of type ECG on the network; whoever is on it may send
    future_s : how far a device's clock may be ahead of the gateway's, s
    past_s : how old samples may be, s; what was recorded before is a file and no live patient
    delivery_timeout_s : how long Kafka may be away before a device is told to send again later, s
    """

    model_config = SettingsConfigDict(
        env_prefix="ECGSTREAM_GATEWAY_", env_file=".env", extra="ignore", frozen=True, populate_by_name=True
    )

    host: str = "127.0.0.1"
    port: int = Field(default=8010, ge=0, le=65535)
    devices: Path | None = None
    start_token: bool = False
    tls_cert: Path | None = None
    tls_key: Path | None = None
    trusted_proxies: str | None = None
    cors_origins: str | None = None
    message_kb: int = Field(default=1024, ge=16, le=16_384)
    bytes_per_s: float = Field(default=500_000, gt=0)
    samples_per_s: float = Field(default=50_000, gt=0)
    connections_per_device: int = Field(default=4, ge=1)
    unacknowledged: int = Field(default=64, ge=1, le=10_000)
    instance: str | None = Field(default=None, max_length=200, validation_alias="ECGSTREAM_INSTANCE")
    mqtt_host: str | None = None
    mqtt_port: int = Field(default=1883, ge=1, le=65535)
    mqtt_username: str | None = None
    mqtt_password: SecretStr | None = None
    mqtt_tls: bool = False
    mqtt_topic: str = Field(default="ecg", pattern=r"^[^+#$\x00/]{1,100}$")
    mqtt_group: str = Field(default="ecgstream", pattern=r"^[^+#\x00/]{1,100}$")
    lsl: bool = False
    future_s: float = Field(default=5.0, ge=0, le=3600)
    past_s: float = Field(default=3600.0, gt=0, le=86_400)
    delivery_timeout_s: float = Field(default=30.0, gt=0)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("ECGSTREAM_GATEWAY_TLS_CERT and ECGSTREAM_GATEWAY_TLS_KEY go together: set both or none")
        if self.start_token and self.devices is not None:
            raise ValueError(
                "ECGSTREAM_GATEWAY_START_TOKEN is for a gateway that has no file of devices: leave it out beside "
                "ECGSTREAM_GATEWAY_DEVICES"
            )
        return self
