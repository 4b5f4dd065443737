"""Settings of the detector: options, the environment (``ECGSTREAM_DETECTOR_...``) or a ``.env`` file, in that order."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from ecg.windows import HOP_S, HOPS_S
from models import SHIPPED


class DetectorSettings(BaseSettings):
    """Settings of the detector.

    Attributes
    ----------
    models : directory of the ONNX files and their manifest
    shadow : directory of models that judge beside them into ``ecg.shadow-windows``, where nobody is alarmed by them;
        None for none
    model_key : public key, PEM, that must have signed them; None: the hashes of the manifest are enough
    instance : unique, stable name of this instance (``ECGSTREAM_INSTANCE``); a restarted instance of that name
        takes its partitions up again at once instead of after the session's end. Two that run under one name evict
        each other
    mains_hz : mains frequency to notch out, Hz; None for no notch (the band-pass ends at 40 Hz)
    hop_s : from one window of 5 s to the next, s: below 5 they overlap, and verdicts come more often
    threads : threads of one inference
    silent_s : a patient from whom nothing new came for that long leaves the memory until it comes back, s
    max_patients : patients of a partition that may be known at a time: the messages of further ids are refused
    forget_s : a patient silent for that long is forgotten: it begins a new stream when it comes back, s
    """

    model_config = SettingsConfigDict(
        env_prefix="ECGSTREAM_DETECTOR_", env_file=".env", extra="ignore", frozen=True, populate_by_name=True
    )

    models: Path = SHIPPED
    shadow: Path | None = None
    model_key: Path | None = None
    instance: str | None = Field(default=None, max_length=200, validation_alias="ECGSTREAM_INSTANCE")
    # A variable of the environment is text, and a literal number takes none.
    mains_hz: Annotated[Literal[50, 60] | None, BeforeValidator(lambda hz: int(hz) if str(hz).isdecimal() else hz)] = (
        None
    )
    hop_s: int = Field(default=HOP_S, ge=min(HOPS_S), le=max(HOPS_S))
    threads: int = Field(default=1, ge=1, le=64)
    silent_s: float = Field(default=60.0, ge=1.0, le=86_400.0)
    forget_s: float = Field(default=86_400.0, ge=60.0)
    max_patients: int = Field(default=2500, ge=1)
