"""Devices: each has a token, which says for which patients it may send.

The file is TOML. ``ecgstream device-token NAME --patient P`` makes a token and prints its entry::

    [[device]]
    name = "holter 7"        # stands in every samples message
    sha256 = "5e88..."       # of the token
    patients = ["bed-12"]    # one that ends in * stands for all that begin so
    expires = 2027-01-31     # may be left out: the last day on which it counts, UTC
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from bus.messages import PATIENT_ID
from ops.tokens import TokenEntry, Tokens, read_entries

TABLE = "device"
SETTING = "ECGSTREAM_GATEWAY_DEVICES"
COMMAND = "device-token"

PatientPattern = Annotated[str, Field(pattern=rf"^(?:{PATIENT_ID.pattern}|[A-Za-z0-9._:@+-]{{0,127}}\*)$")]


class Device(TokenEntry):
    """A device and its token.

    Attributes
    ----------
    patients : for whom it may send; one that ends in ``*`` stands for all that begin so
    """

    patients: Annotated[list[PatientPattern], Field(min_length=1, max_length=1000)]

    def may_send_for(self, patient: str) -> bool:
        """Return whether it may send a patient's samples."""
        return any(
            patient.startswith(pattern[:-1]) if pattern.endswith("*") else patient == pattern
            for pattern in self.patients
        )


def read_devices(path: Path) -> Tokens[Device]:
    """The devices of a file.

    Raises
    ------
    TokensError : when the file cannot be used
    """
    return Tokens(read_entries(path, Device, table=TABLE, setting=SETTING, command=COMMAND))
