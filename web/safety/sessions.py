"""Sessions of the page: a signed cookie says who signed in and until when.

Nothing of a session is kept here but which were ended early, so a restart ends none as long as the secret stays.
"""

import hashlib
import secrets
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer, URLSafeTimedSerializer
from pydantic import BaseModel, ConfigDict, ValidationError

from ops.clock import Clock
from web.roles import Role

LONGEST = 4000  # characters of a cookie that is looked at
ERRAND_S = 600  # to sign in at the provider, s


class Session(BaseModel):
    """Content of the cookie.

    Attributes
    ----------
    id : drawn at random
    name, role : of who signed in
    ends_s : when it ends, s UTC
    token : SHA-256 of the token that was used; None when the OpenID Connect provider vouches
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    name: str
    role: Role
    ends_s: float
    token: str | None = None


class Sessions:
    """Begins sessions, knows them again, and ends them.

    Parameters
    ----------
    secret : what they are signed with
    hours : how long one lasts, h
    """

    def __init__(self, *, secret: str, hours: float, clock: Clock) -> None:
        self._signer = URLSafeSerializer(
            secret, salt="ecgstream session", signer_kwargs={"digest_method": hashlib.sha256}
        )
        self.lasts_s = hours * 3600
        self._clock = clock
        self._ended: dict[str, float] = {}

    def begin(self, *, name: str, role: Role, token: str | None = None) -> str:
        """The cookie of a new session.

        Parameters
        ----------
        name, role : of who signed in
        token : SHA-256 of the token that was used
        """
        session = Session(
            id=secrets.token_urlsafe(12), name=name, role=role, ends_s=self._now_s() + self.lasts_s, token=token
        )
        return str(self._signer.dumps(session.model_dump()))

    def read(self, cookie: str | None) -> Session | None:
        """The session of a cookie; None when it is none, has ended, or was not begun here."""
        if cookie is None or len(cookie) > LONGEST:
            return None
        try:
            session = Session.model_validate(self._signer.loads(cookie))
        except (BadSignature, ValidationError):
            return None
        return session if session.id not in self._ended and session.ends_s > self._now_s() else None

    def end(self, session: Session) -> None:
        """Let a session count no more, wherever its cookie lies."""
        now_s = self._now_s()
        self._ended = {each: ends_s for each, ends_s in self._ended.items() if ends_s > now_s}
        self._ended[session.id] = session.ends_s

    def _now_s(self) -> float:
        return self._clock.now_ns() / 1e9


class Errands:
    """Signed state, nonce and PKCE verifier that a browser carries while it is away at the provider.

    Parameters
    ----------
    secret : what they are signed with
    """

    def __init__(self, secret: str) -> None:
        self._signer = URLSafeTimedSerializer(
            secret, salt="ecgstream errand", signer_kwargs={"digest_method": hashlib.sha256}
        )

    def send(self, carried: dict[str, Any]) -> str:
        """The cookie of a browser that is sent off."""
        return str(self._signer.dumps(carried))

    def receive(self, cookie: str | None) -> dict[str, Any]:
        """Return what a browser brings back; nothing when we did not send it off, or too long ago."""
        if cookie is None or len(cookie) > LONGEST:
            return {}
        try:
            return dict(self._signer.loads(cookie, max_age=ERRAND_S))
        except (BadSignature, ValueError, TypeError):
            return {}
