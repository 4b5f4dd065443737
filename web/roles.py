"""Roles: viewers look, responders answer alarms and score files, admins see all."""

from typing import Literal, get_args

Role = Literal["viewer", "responder", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)  # each may do what those before it may
