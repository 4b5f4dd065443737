"""How the web service runs: options, the environment (``ECGSTREAM_WEB_...``) or ``.env``."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class WebSettings(BaseSettings):
    """How the web service runs.

    Attributes
    ----------
    host, port : where it listens; port 0 takes a free one
    state : folder of the uploaded recordings and their reports; None means ``web`` in the user's state directory
    """

    model_config = SettingsConfigDict(env_prefix="ECGSTREAM_WEB_", env_file=".env", extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    state: Path | None = None
