"""What every command is told by options, the environment or ``.env``, and what it says when that is wrong."""

import difflib
import os
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from ecg.errors import EcgStreamError

PREFIX = "ECGSTREAM_"
TEST_PREFIX = "ECGSTREAM_TEST_"  # for the project's tests, which start commands
# Read by docker-compose.yml alone, but out of the same `.env`.
COMPOSE = ("ECGSTREAM_RECORD", "ECGSTREAM_PATIENTS", "ECGSTREAM_SPEED", "ECGSTREAM_HOST_DATA")

SettingsT = TypeVar("SettingsT", bound=BaseSettings)


class SettingsError(EcgStreamError):
    """A setting that cannot be used; the message names it, its value, its limit and the remedy."""


class OptionError(SettingsError):
    """An option's value that cannot be used: wrong usage."""


class ProcessSettings(BaseSettings):
    """What any command of this program needs.

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
    refuse_unknown_variables()
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    try:
        return kind(**given)
    except ValidationError as error:
        raise _told(kind, error, given) from None


@cache
def refuse_unknown_variables() -> None:
    """Refuse variables that look like this program's and are not: a misspelt setting is no setting.

    Raises
    ------
    SettingsError : when there is one, in the environment or in ``.env``
    """
    known = {*variables(), *COMPOSE}
    for place, found in (("the environment", dict(os.environ)), (".env", dotenv_values(".env"))):
        for name in map(str.upper, found):
            if name.startswith(PREFIX) and not name.startswith(TEST_PREFIX) and name not in known:
                near = difflib.get_close_matches(name, sorted(known), n=1)
                meant = f"did you mean {near[0]}?" if near else "see the table of settings in README.md"
                raise SettingsError(f"{name} in {place} is no setting of ecgstream: {meant} Correct it or remove it")


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
    from producer.settings import FaultSettings, ReplaySettings
    from web.settings import WebSettings

    return (
        ProcessSettings,
        KafkaSettings,
        DetectorSettings,
        AlertingSettings,
        WebSettings,
        ReplaySettings,
        FaultSettings,
    )


def _told(kind: type[BaseSettings], error: ValidationError, given: dict[str, Any]) -> SettingsError:
    first = error.errors(include_url=False)[0]
    if not first["loc"]:  # two settings that contradict each other: their own check says all
        return SettingsError(str(first["msg"]).removeprefix("Value error, "))
    place = str(first["loc"][0])  # a field, or its alias
    fields = (name for name in kind.model_fields if place.upper() in {name.upper(), _variable(kind, name)})
    field = next(fields, place)
    annotation = kind.model_fields[field].annotation if field in kind.model_fields else None
    secret = SecretStr in (annotation, *get_args(annotation))
    value = "" if secret or "password" in field else f"={first['input']}"
    limit = str(first["msg"])[:1].lower() + str(first["msg"])[1:]
    if field in given:
        return OptionError(f"--{field.replace('_', '-')}{value}: {limit}: correct the option")
    return SettingsError(f"{_variable(kind, field)}{value}: {limit}: correct it in the environment or in .env")
