"""Settings of every command, from options, the environment or ``.env``, and the messages when one is wrong."""

import difflib
import logging
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from ecg.errors import EcgStreamError
from ops.validation import limit_in

PREFIX = "ECGSTREAM_"
TEST_PREFIX = "ECGSTREAM_TEST_"  # for the project's tests, which start commands
# Read by docker-compose.yml alone, but out of the same `.env`.
COMPOSE = tuple(
    f"ECGSTREAM_COMPOSE_{name}"
    for name in ("RECORD", "PATIENTS", "SPEED", "HOST_DATA", "CONFIG", "ALERTMANAGER", "SECURE")
)
# The new name of each variable that was renamed. The old ones are read in this version, with a warning, and refused in
# the next: what falls away then is this table and what reads it.
RENAMED = {
    "ECGSTREAM_ALARM_DB": "ECGSTREAM_ALERTING_ALARM_DB",
    "ECGSTREAM_FORGET_S": "ECGSTREAM_DETECTOR_FORGET_S",
    "ECGSTREAM_HOST_DATA": "ECGSTREAM_COMPOSE_HOST_DATA",
    "ECGSTREAM_MAINS_HZ": "ECGSTREAM_DETECTOR_MAINS_HZ",
    "ECGSTREAM_MODELS": "ECGSTREAM_DETECTOR_MODELS",
    "ECGSTREAM_PATIENTS": "ECGSTREAM_COMPOSE_PATIENTS",
    "ECGSTREAM_RECORD": "ECGSTREAM_COMPOSE_RECORD",
    "ECGSTREAM_SILENT_S": "ECGSTREAM_DETECTOR_SILENT_S",
    "ECGSTREAM_SPEED": "ECGSTREAM_COMPOSE_SPEED",
    "ECGSTREAM_THREADS": "ECGSTREAM_DETECTOR_THREADS",
}

GATEWAY_URL = "http://127.0.0.1:8010"  # of a gateway of this machine under its own defaults

SettingsT = TypeVar("SettingsT", bound=BaseSettings)
log = logging.getLogger(__name__)  # says it on standard error also before a service has set its logs up


class SettingsError(EcgStreamError):
    """A setting that cannot be used; the message names it, its value, its limit and the remedy."""


class OptionError(SettingsError):
    """An option's value that cannot be used: wrong usage."""


class ProcessSettings(BaseSettings):
    """Settings that any command of this program needs.

    Attributes
    ----------
    data_dir : the data directory, one folder a database; None means ``ecgstream`` in the user's cache
    health_host, health_port : where a service serves /healthz, /readyz and /metrics; port 0 takes a free one
    unready_limit_s : how long a service may be not ready before /healthz fails, s
    log_level : the least severe level that is written
    log_format : "text" or "json"; None chooses text on a terminal
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True)

    data_dir: Path | None = None
    health_host: str = "127.0.0.1"
    health_port: int = Field(default=0, ge=0, le=65535)
    unready_limit_s: float = Field(default=60.0, gt=0)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] | None = None


class ClientSettings(BaseSettings):
    """Settings of ``ecgstream send`` (``ECGSTREAM_CLIENT_...``).

    Attributes
    ----------
    url : of the gateway
    token : of the device, which ``ecgstream device-token`` made
    """

    model_config = SettingsConfigDict(env_prefix="ECGSTREAM_CLIENT_", env_file=".env", extra="ignore", frozen=True)

    url: str = Field(default=GATEWAY_URL, pattern=r"^(https?|wss?)://\S+$")
    token: SecretStr = SecretStr("")


def load(kind: type[SettingsT], **options: object) -> SettingsT:
    """Settings of a kind: options win over the environment, which wins over ``.env``.

    Parameters
    ----------
    kind : the class of the settings
    options : fields that were given as options; None means that the option was not given

    Raises
    ------
    OptionError : when an option's value is outside its limits
    SettingsError : when a variable's value is, or a variable of this program's is not known
    """
    check_variables()
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    found = {name: value for _, place in reversed(_places()) for name, value in place.items()}
    old_names = {
        field: old
        for old, new in RENAMED.items()
        if old in found and new not in found
        for field in kind.model_fields.keys() - given.keys()
        if _variable(kind, field) == new
    }
    by_old_name: dict[str, Any] = {field: found[old] for field, old in old_names.items()}
    try:
        return kind(**given, **by_old_name)
    except ValidationError as error:
        raise _wrong_setting(kind, error, given, old_names) from None


@cache
def check_variables() -> None:
    """Refuse variables that look like this program's and are not, and warn of those that have a new name.

    Raises
    ------
    SettingsError : when there is one, in the environment or in ``.env``
    """
    known = {*variables(), *COMPOSE}
    found_anywhere = {name for _, found in _places() for name in found}
    for place, found in _places():
        for name in found:
            if name in RENAMED:
                warning = "%s in %s is now called %s: rename it; the next version refuses the old name"
                if RENAMED[name] in found_anywhere:
                    warning = "%s in %s is ignored, since its new name %s is set as well: remove the old one"
                log.warning(warning, name, place, RENAMED[name])
            elif name.startswith(PREFIX) and not name.startswith(TEST_PREFIX) and name not in known:
                near = difflib.get_close_matches(name, sorted(known), n=1)
                meant = f"did you mean {near[0]}?" if near else "see the table of settings in README.md"
                raise SettingsError(f"{name} in {place} is not a setting of ecgstream: {meant} Correct it or remove it")


def with_new_names(variables: Mapping[str, str]) -> dict[str, str]:
    """Return variables of the environment with each old name replaced, unless its new name is set as well."""
    kept = {name: value for name, value in variables.items() if name not in RENAMED}
    return {RENAMED[old]: variables[old] for old in RENAMED if old in variables} | kept


def _places() -> tuple[tuple[str, dict[str, str | None]], ...]:
    """Variables of each place that they come from, the place that wins first."""
    return tuple(
        (place, {name.upper(): value for name, value in found.items()})
        for place, found in (("the environment", os.environ), (".env", dotenv_values(".env")))
    )


def variables() -> dict[str, str]:
    """Every variable that a command reads, with the setting that it sets."""
    return {_variable(kind, field): f"{kind.__name__}.{field}" for kind in kinds() for field in kind.model_fields}


def _variable(kind: type[BaseSettings], field: str) -> str:
    alias = kind.model_fields[field].validation_alias
    return (alias if isinstance(alias, str) else f"{kind.model_config.get('env_prefix', '')}{field}").upper()


def kinds() -> tuple[type[BaseSettings], ...]:
    """Every class of settings."""
    from alerting.settings import AlertingSettings
    from bus.settings import KafkaSettings
    from detector.settings import DetectorSettings
    from gateway.settings import GatewaySettings
    from producer.settings import FaultSettings, ReplaySettings
    from web.settings import WebSettings

    return (
        ProcessSettings,
        KafkaSettings,
        DetectorSettings,
        AlertingSettings,
        WebSettings,
        GatewaySettings,
        ClientSettings,
        ReplaySettings,
        FaultSettings,
    )


def _wrong_setting(
    kind: type[BaseSettings], error: ValidationError, given: dict[str, Any], old_names: Mapping[str, str]
) -> SettingsError:
    first = error.errors()[0]
    if not first["loc"]:  # two settings that contradict each other: their own check says all
        return SettingsError(limit_in(first))
    place = str(first["loc"][0])  # a field, or its alias
    fields = (name for name in kind.model_fields if place.upper() in {name.upper(), _variable(kind, name)})
    field = next(fields, place)
    annotation = kind.model_fields[field].annotation if field in kind.model_fields else None
    secret = SecretStr in (annotation, *get_args(annotation))
    value = "" if secret or "password" in field else f"={first['input']}"
    limit = limit_in(first)
    if field in given:
        return OptionError(f"--{field.replace('_', '-')}{value}: {limit}: correct the option")
    name = old_names.get(field) or _variable(kind, field)
    return SettingsError(f"{name}{value}: {limit}: correct it in the environment or in .env")
