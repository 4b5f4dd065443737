"""Words for what a pydantic model refuses; one place, so that files, messages and requests are answered alike."""

from collections.abc import Sequence
from typing import Any


def first_error(errors: Sequence[Any], *, whole: str = "", value: bool = False) -> str:
    """Describe the first thing that is wrong: where, and its limit.

    Parameters
    ----------
    errors : as ``ValidationError.errors()`` gives them
    whole : stands for the place where the fault is none of a single field
    value : name the value as well; never where it may be a secret
    """
    first = errors[0]
    place = ".".join(map(str, first["loc"])) or whole
    if place and value:
        place += f"={first['input']!r}"
    return f"{place}: {first['msg']}" if place else str(first["msg"])


def limit_in(error: Any) -> str:
    """Return what one error says, to stand behind the name of a setting."""
    message = str(error["msg"])
    if error["type"] == "value_error":  # of a check of this program's, which pydantic puts two words before
        return message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
