"""Alerting's settings: options, the environment (``ECGSTREAM_ALERTING_...``) or ``.env``; the rules are a file."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from ops.secret_files import SecretSetting


class AlertingSettings(BaseSettings):
    """Alerting's settings.

    Attributes
    ----------
    rules : TOML file with what differs from the shipped rules (``alerting/default_rules.toml``)
    instance : unique, stable name of this instance (``ECGSTREAM_INSTANCE``); a restarted instance of that name
        takes its partitions up again at once. Two that run under one name evict each other
    clock_tolerance_s : by how much a device's clock may be ahead of the broker's before it is not believed, s
    max_patients : patients that are followed in a partition; the verdicts of more are refused
    ended_retention_s : how long an alarm that has ended stays on the topic; the alarm history keeps it, s
    channels : TOML file of the channels over which alarms are delivered; None delivers none
    alarm_db : address of the alarm history: ``sqlite:////path`` or ``postgresql://user:password@host/database``, or
        ``file:/path`` of a file that holds it; None means a file in the user's state directory
    """

    model_config = SettingsConfigDict(
        env_prefix="ECGSTREAM_ALERTING_", env_file=".env", extra="ignore", frozen=True, populate_by_name=True
    )

    rules: Path | None = None
    instance: str | None = Field(default=None, max_length=200, validation_alias="ECGSTREAM_INSTANCE")
    clock_tolerance_s: float = Field(default=60.0, ge=1.0, le=86_400.0)
    max_patients: int = Field(default=2500, ge=1, le=1_000_000)
    ended_retention_s: float = Field(default=604_800.0, ge=60.0, le=10 * 365 * 86_400.0)
    channels: Path | None = None
    alarm_db: SecretSetting = None
