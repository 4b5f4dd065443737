"""Settings of the web service: options, the environment (``ECGSTREAM_WEB_...``) or ``.env``."""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ops.secret_files import SecretSetting
from web.addresses import is_loopback
from web.live.share import MOST_PATIENTS
from web.roles import ROLES, Role

_ORIGIN = re.compile(r"https?://[a-z0-9.\[\]:-]+", re.IGNORECASE)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _origin(text: str) -> str:
    """An address without a path, as browsers send it."""
    if not _ORIGIN.fullmatch(text.rstrip("/")):
        raise ValueError(f"{text} is not an address like https://ecg.example.org: give scheme, host and port alone")
    return text.rstrip("/").lower()


def _origins(text: str) -> str:
    return ",".join(_origin(part) for part in _listed(text))


def _networks(text: str) -> str:
    for part in _listed(text):
        ip_network(part)
    return text


def _mapping(text: str) -> str:
    for part in _listed(text):
        value, _, role = part.rpartition("=")
        if not value or role not in ROLES:
            raise ValueError(f"{part} is not value=role with a role of {', '.join(ROLES)}")
    return text


class WebSettings(BaseSettings):
    """Settings of the web service.

    Attributes
    ----------
    host, port : where it listens; port 0 takes a free one
    url : the address under which people open the page; needed where it listens on more than this machine
    state : folder of the uploaded recordings and their reports; None means ``web`` in the user's state directory
    tokens : TOML file of who may come with which token (``web/safety/tokens.py``)
    start_token : where nobody has set up how people sign in: draw a token of an admin at every start, and log it
    session_secret : what sessions are signed with; None means a new one at each start, which ends all sessions
    session_hours : how long a session lasts, h
    oidc_issuer : address of the OpenID Connect provider, as it names itself
    oidc_client_id, oidc_client_secret : what the provider knows this service as; ``file:/path`` names a file with a
        secret, here and in ``session_secret``
    oidc_scopes : asked of the provider, separated by spaces
    oidc_claim : the claim of the ID token that gives the role; a name or a list
    oidc_roles : which value of that claim is which role: ``value=role`` separated by commas
    cors_origins : pages of other addresses whose scripts may call with a token, separated by commas
    trusted_proxies : addresses or networks whose X-Forwarded headers count, separated by commas
    tls_cert, tls_key : PEM files of the certificate with its chain, and of its key
    reads_per_minute, commands_per_minute, scores_per_minute : requests of one caller
    failed_sign_ins_per_minute : of one address
    streams_per_caller : live connections of one caller from one address at a time
    upload_mb : the largest request that brings recordings, MB
    keep_days : how long an uploaded recording is kept, days
    keep_mb : how much all of them may take, MB; the oldest go first
    score_processes : recordings that are scored side by side, each in a process; fewer where memory is small
    memory_mb : what page and scoring processes may take together, MiB; None means the container's limit
    max_patients : how many are followed; whoever comes then takes the place of one who is dormant, or is refused
    audit_trail : file to which a line is added for every read of a patient's data; None for no such file
    data_dir : the data directory (``ECGSTREAM_DATA_DIR``), for samples to try
    """

    model_config = SettingsConfigDict(
        env_prefix="ECGSTREAM_WEB_", env_file=".env", extra="ignore", frozen=True, populate_by_name=True
    )

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    url: Annotated[str, AfterValidator(_origin)] | None = None
    state: Path | None = None
    tokens: Path | None = None
    start_token: bool = False
    session_secret: SecretSetting = Field(default=None, min_length=32)
    session_hours: float = Field(default=12.0, gt=0.0, le=168.0)
    oidc_issuer: str | None = Field(default=None, pattern=r"^https?://\S+$")
    oidc_client_id: str | None = None
    oidc_client_secret: SecretSetting = None
    oidc_scopes: str = "openid profile email"
    oidc_claim: str = "groups"
    oidc_roles: Annotated[str, AfterValidator(_mapping)] | None = None
    cors_origins: Annotated[str, AfterValidator(_origins)] | None = None
    trusted_proxies: Annotated[str, AfterValidator(_networks)] | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    reads_per_minute: int = Field(default=3000, ge=1)
    commands_per_minute: int = Field(default=120, ge=1)
    scores_per_minute: int = Field(default=60, ge=1)
    failed_sign_ins_per_minute: int = Field(default=10, ge=1)
    streams_per_caller: int = Field(default=100, ge=1)
    upload_mb: int = Field(default=64, ge=1, le=4096)
    keep_days: float = Field(default=30.0, gt=0.0, le=36_500.0)
    keep_mb: int = Field(default=2000, ge=100)
    score_processes: int = Field(default=1, ge=1, le=64)
    memory_mb: int | None = Field(default=None, ge=256)
    max_patients: int = Field(default=MOST_PATIENTS, ge=1, le=1_000_000)
    audit_trail: Path | None = None
    data_dir: Path | None = Field(default=None, validation_alias="ECGSTREAM_DATA_DIR")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("ECGSTREAM_WEB_TLS_CERT and ECGSTREAM_WEB_TLS_KEY go together: set both or none")
        if self.start_token and (self.tokens is not None or self.oidc_issuer is not None):
            raise ValueError(
                "ECGSTREAM_WEB_START_TOKEN is for a service in which nobody else can sign in: leave it out beside "
                "ECGSTREAM_WEB_TOKENS or ECGSTREAM_WEB_OIDC_ISSUER"
            )
        if self.oidc_issuer and not (self.oidc_client_id and self.oidc_roles and self.url):
            raise ValueError(
                "ECGSTREAM_WEB_OIDC_ISSUER needs ECGSTREAM_WEB_OIDC_CLIENT_ID, ECGSTREAM_WEB_OIDC_ROLES and "
                "ECGSTREAM_WEB_URL, to which the provider sends people back: set them"
            )
        if not is_loopback(self.host) and not self.signs_in:
            raise ValueError(
                f"ECGSTREAM_WEB_HOST={self.host}: without authentication the service listens on a loopback address "
                "alone: listen on 127.0.0.1, or let people sign in with ECGSTREAM_WEB_TOKENS or "
                "ECGSTREAM_WEB_OIDC_ISSUER (docs/web-safety.md)"
            )
        if not is_loopback(self.host) and self.url is None:
            raise ValueError(
                f"ECGSTREAM_WEB_HOST={self.host}: on a network the service answers under one address alone: set "
                "ECGSTREAM_WEB_URL to the one that people open (https://..., or http://... where no TLS is wanted)"
            )
        return self

    @property
    def signs_in(self) -> bool:
        """Return whether people must sign in."""
        return self.tokens is not None or self.oidc_issuer is not None or self.start_token

    @property
    def encrypted(self) -> bool:
        """Return whether browsers reach it by TLS, its own or a proxy's."""
        return self.tls_cert is not None or (self.url or "").startswith("https:")

    @property
    def friendly_origins(self) -> tuple[str, ...]:
        """The origins of ``cors_origins``."""
        return _listed(self.cors_origins or "")

    @property
    def roles(self) -> dict[str, Role]:
        """The role of each value of the claim."""
        split = (part.rpartition("=") for part in _listed(self.oidc_roles or ""))
        return {value: role for value, _, name in split for role in ROLES if role == name}
