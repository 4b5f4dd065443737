"""Tokens of people and programs (``ops.tokens``): what the holder of each may do.

``ecgstream web-token NAME --role ROLE`` makes a token and prints its entry::

    [[token]]
    name = "night shift"    # stands in the alarm history
    sha256 = "5e88..."      # of the token
    role = "responder"      # viewer, responder or admin
    expires = 2027-01-31    # may be left out: the last day on which it counts, UTC
"""

from pathlib import Path

from ops import tokens
from ops.tokens import Tokens
from web.roles import Role

TABLE = "token"


class TokenEntry(tokens.TokenEntry):
    """Owner of a token.

    Attributes
    ----------
    role : what they may do
    """

    role: Role


def read_tokens(path: Path) -> Tokens[TokenEntry]:
    """The tokens of a file.

    Raises
    ------
    TokensError : when the file cannot be used
    """
    entries = tokens.read_entries(path, TokenEntry, table=TABLE, setting="ECGSTREAM_WEB_TOKENS", command="web-token")
    return Tokens(entries)
