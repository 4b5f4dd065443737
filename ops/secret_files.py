"""Secrets of settings: written where the setting is, or ``file:/path`` for the file that holds one."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, SecretStr

PREFIX = "file:"


def read_secret(named: str) -> str:
    """Return a secret: the text of the file where ``file:/path`` is given, anything else itself.

    Raises
    ------
    ValueError : when there is no such file, or it is empty
    """
    if not named.startswith(PREFIX):
        return named
    path = Path(named.removeprefix(PREFIX))
    try:
        found = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ValueError(f"{path} cannot be read ({why}): correct the path or its rights") from None
    if not found:
        raise ValueError(f"{path} is empty: write the secret into it")
    return found


def _read(named: object) -> object:
    return read_secret(named) if isinstance(named, str) else named


SecretSetting = Annotated[SecretStr | None, BeforeValidator(_read)]
