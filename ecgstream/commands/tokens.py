"""The commands that make tokens: for people and programs, and for devices."""

from enum import StrEnum
from typing import Annotated

import typer


class RoleName(StrEnum):
    """Rights of a token's holder."""

    VIEWER = "viewer"
    RESPONDER = "responder"
    ADMIN = "admin"


def web_token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the person or program; stands in the alarm history.")],
    *,
    role: Annotated[RoleName, typer.Option(help="What its holder may do.")],
) -> None:
    """Make a token for the page and the interface: printed once, with its entry for ECGSTREAM_WEB_TOKENS."""
    from pydantic import ValidationError

    from ecgstream.settings import OptionError
    from ops.tokens import hash_of, new_token
    from web.safety.tokens import TABLE, TokenEntry

    token = new_token()
    try:
        entry = TokenEntry(name=name, role=role.value, sha256=hash_of(token))
    except ValidationError:
        raise OptionError(
            f"NAME={name!r}: a name has 1 to 100 characters, none of them a control character: choose another"
        ) from None
    typer.echo(f"Token, shown this once: {token}\n\nEntry for the file that ECGSTREAM_WEB_TOKENS names:\n")
    typer.echo(entry.written(TABLE), nl=False)


def device_token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the device; stands in its samples and verdicts.")],
    *,
    patient: Annotated[
        list[str], typer.Option(help="For whom it may send; several times for several; one ending in * for all such.")
    ],
) -> None:
    """Make a token for a device: printed once, with its entry for ECGSTREAM_GATEWAY_DEVICES."""
    from pydantic import ValidationError

    from ecgstream.settings import OptionError
    from gateway.devices import TABLE, Device
    from ops.tokens import hash_of, new_token
    from ops.validation import first_error

    token = new_token()
    try:
        entry = Device(name=name, sha256=hash_of(token), patients=patient)
    except ValidationError as error:
        raise OptionError(f"{first_error(error.errors(), value=True)}: choose another") from None
    typer.echo(f"Token, shown this once: {token}\n\nEntry for the file that ECGSTREAM_GATEWAY_DEVICES names:\n")
    typer.echo(entry.written(TABLE), nl=False)
