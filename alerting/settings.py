"""When an alert starts, goes on and ends: options, the environment (``ECGSTREAM_ALERTING_...``) or ``.env``."""

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class AlertingSettings(BaseSettings):
    """The rules of the episodes; counts are windows (5 s each).

    Attributes
    ----------
    start_abnormal, start_of : a physiological alert starts when ``start_abnormal`` of the patient's last
        ``start_of`` usable windows are abnormal. One of one would ring at every stray window.
    end_clean : it ends after so many normal windows in a row; unusable ones are not counted
    technical_start : a technical alert (lead off, gaps) starts after so many unusable windows in a row
    technical_end : it ends after so many usable windows in a row
    continue_every : an open alert is told again each time it has grown by so many windows
    max_gap_s : a patient of whom nothing usable is seen for longer is a new case: what is open ends,
        seconds of the recording's time
    instance : unique, stable name of this instance (``ECGSTREAM_INSTANCE``); a restarted instance of that name
        takes its partitions up again at once. Two that run under one name evict each other
    commit_every_s : the least time between two transactions of a partition, s
    """

    model_config = SettingsConfigDict(
        env_prefix="ECGSTREAM_ALERTING_", env_file=".env", extra="ignore", frozen=True, populate_by_name=True
    )

    start_abnormal: int = Field(default=2, ge=1, le=100)
    start_of: int = Field(default=3, ge=1, le=100)
    end_clean: int = Field(default=3, ge=1, le=1000)
    technical_start: int = Field(default=2, ge=1, le=100)
    technical_end: int = Field(default=1, ge=1, le=1000)
    continue_every: int = Field(default=6, ge=1, le=10_000)
    max_gap_s: float = Field(default=60.0, gt=0)
    instance: str | None = Field(default=None, max_length=200, validation_alias="ECGSTREAM_INSTANCE")
    commit_every_s: float = Field(default=0.1, ge=0.0, le=60.0)

    @model_validator(mode="after")
    def _start_can_be_reached(self) -> Self:
        if self.start_abnormal > self.start_of:
            raise ValueError(
                f"start_abnormal={self.start_abnormal} is above start_of={self.start_of}: no alert could ever start; "
                "set ECGSTREAM_ALERTING_START_OF to at least ECGSTREAM_ALERTING_START_ABNORMAL"
            )
        return self
