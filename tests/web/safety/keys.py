"""Tokens of each role."""

from collections.abc import Mapping
from pathlib import Path

from ops.tokens import hash_of
from web.roles import ROLES, Role

TOKENS: dict[Role, str] = {role: f"ecgs_{role}-{'x' * 30}" for role in ROLES}


def write_tokens(path: Path, held: Mapping[Role, str] = TOKENS) -> Path:
    path.write_text(
        "\n".join(
            f'[[token]]\nname = "the {role}"\nrole = "{role}"\nsha256 = "{hash_of(token)}"'
            for role, token in held.items()
        )
    )
    path.chmod(0o600)
    return path


def bearer(role: Role) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[role]}"}
