"""Settings of a replay: options, the environment (``ECGSTREAM_REPLAY_...``) or a ``.env`` file, in that order."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from producer.streams import MAX_CHUNK_MS, MIN_CHUNK_MS

Rate = Annotated[float, Field(ge=0, le=3600)]


class ReplaySettings(BaseSettings):
    """A replay.

    Attributes
    ----------
    speed : times real pace, or "max": as fast as the bus takes it
    chunk_ms : length of a chunk, ms of record time
    loop : go on from each record's start at its end, for ever
    patients : how many patients the records are dealt out to; by default one a record
    duration_s : seconds of record time after which every stream ends
    start_ns : time of the first patient's first sample, ns UTC. By default the wall time at the start; above real pace
        so long before it that the last sample is of the moment in which it is sent. Others begin within five seconds
    """

    model_config = SettingsConfigDict(env_prefix="ECGSTREAM_REPLAY_", env_file=".env", extra="ignore", frozen=True)

    speed: Annotated[float, Field(gt=0, le=100_000)] | Literal["max"] = 1.0
    chunk_ms: int = Field(default=250, ge=MIN_CHUNK_MS, le=MAX_CHUNK_MS)
    loop: bool = False
    patients: int | None = Field(default=None, ge=1, le=100_000)
    duration_s: float | None = Field(default=None, gt=0)
    start_ns: int | None = Field(default=None, ge=0, le=2**62)


class FaultSettings(BaseSettings):
    """Faults on purpose (``ECGSTREAM_FAULTS_...``); by default none.

    Attributes
    ----------
    seed : the same seed brings the same faults to the same patients
    gaps_per_hour, gap_s : stretches that are never sent, and how long each is at most, s
    missing_per_hour, missing_s : stretches of all leads sent as "no sample", and how long each is at most, s
    lead_off_per_hour, lead_off_s, lead_off_as : stretches in which one lead lies at its rail or is "no sample"
    duplicates, reordered : share of the chunks that come twice, or after the next one
    clock_jumps_per_hour, clock_jump_s : jumps of the device's clock, and how far each goes at most, s
    noise, snr_db : noise of the Noise Stress Test added to all leads, and the signal-to-noise ratio, dB
    """

    model_config = SettingsConfigDict(env_prefix="ECGSTREAM_FAULTS_", env_file=".env", extra="ignore", frozen=True)

    seed: int = 0
    gaps_per_hour: Rate = 0.0
    gap_s: float = Field(default=10.0, gt=0, le=3600)
    missing_per_hour: Rate = 0.0
    missing_s: float = Field(default=0.5, gt=0, le=3600)
    lead_off_per_hour: Rate = 0.0
    lead_off_s: float = Field(default=30.0, gt=0, le=3600)
    lead_off_as: Literal["rail", "missing"] = "rail"
    duplicates: float = Field(default=0.0, ge=0, le=1)
    reordered: float = Field(default=0.0, ge=0, le=1)
    clock_jumps_per_hour: Rate = 0.0
    clock_jump_s: float = Field(default=5.0, gt=0, le=3600)
    noise: Literal["bw", "em", "ma"] | None = None
    snr_db: float = Field(default=6.0, ge=-40, le=60)
