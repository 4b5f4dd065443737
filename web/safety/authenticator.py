"""Authentication: on this machine, with a token, or by a session of the page."""

from collections.abc import Mapping
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Literal

import structlog
from starlette.responses import Response

from ops.clock import Clock
from ops.tokens import Tokens, hash_of, new_token
from web.access import Caller
from web.safety.oidc import Provider
from web.safety.sessions import Errands, Session, Sessions
from web.safety.tokens import TokenEntry, read_tokens
from web.settings import WebSettings

LOCAL = Caller(name="local", role="admin")  # whoever sits at this machine, when nobody need sign in
Auth = Literal["off", "token", "oidc", "both"]
Way = Literal["nobody", "local", "token", "session"]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """A caller, and how they came in.

    Attributes
    ----------
    caller : None when nobody that is known
    way : how they showed who they are
    session : the session, when by one
    """

    caller: Caller | None
    way: Way
    session: Session | None = None


class UnknownTokenError(Exception):
    """A token was sent that nobody has."""


class Authenticator:
    """Authentication of people and programs.

    Raises
    ------
    TokensError : when the file of tokens cannot be used
    """

    def __init__(self, settings: WebSettings, *, clock: Clock) -> None:
        # Without one in the settings, every start ends all sessions.
        secret = settings.session_secret.get_secret_value() if settings.session_secret else token_urlsafe(32)
        self._clock = clock
        self._tokens = read_tokens(settings.tokens) if settings.tokens else None
        if settings.start_token:
            token = new_token()
            self._tokens = Tokens([TokenEntry(name="admin", role="admin", sha256=hash_of(token))])
            # The one secret that is ever logged, because that was asked for; it ends with this process.
            log.warning("web_start_token", token=token, signs_in_at=f"{settings.url}/signin")
        self.provider = Provider(settings) if settings.oidc_issuer else None
        self.sessions = Sessions(secret=secret, hours=settings.session_hours, clock=clock)
        self.errands = Errands(secret)
        self.url = settings.url
        self.secure = settings.encrypted
        # A browser keeps a __Host- cookie for exactly this host, and sends it by TLS alone.
        self.cookie = "__Host-ecgstream" if self.secure else "ecgstream"

    @property
    def auth(self) -> Auth:
        """Return how people sign in."""
        if self._tokens and self.provider:
            return "both"
        return "token" if self._tokens else "oidc" if self.provider else "off"

    def enter(self, *, authorization: str | None, cookies: Mapping[str, str]) -> Entrance:
        """Find who sends a request.

        Parameters
        ----------
        authorization : the header
        cookies : all of them

        Raises
        ------
        UnknownTokenError : when a token was sent that nobody has
        """
        if self.auth == "off":
            return Entrance(caller=LOCAL, way="local")
        if authorization is not None:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer":
                raise UnknownTokenError
            return Entrance(caller=self.caller_by(token.strip())[0], way="token")
        session = self._session(cookies.get(self.cookie))
        if session is None:
            return Entrance(caller=None, way="nobody")
        return Entrance(caller=Caller(name=session.name, role=session.role), way="session", session=session)

    def caller_by(self, token: str) -> tuple[Caller, str]:
        """Return the owner of a token, and its SHA-256.

        Raises
        ------
        UnknownTokenError : when nobody does
        """
        entry = self._tokens.find(token, now_ns=self._clock.now_ns()) if self._tokens else None
        if entry is None:
            raise UnknownTokenError
        return Caller(name=entry.name, role=entry.role), entry.sha256

    def remember(self, response: Response, session: str) -> None:
        """Give a browser the cookie of a session: for this page alone, where no script can read it."""
        response.set_cookie(
            self.cookie,
            session,
            max_age=int(self.sessions.lasts_s),
            secure=self.secure,
            httponly=True,
            samesite="strict",
        )

    def forget(self, response: Response) -> None:
        """Take the cookie away."""
        response.delete_cookie(self.cookie, secure=self.secure, httponly=True, samesite="strict")

    def _session(self, cookie: str | None) -> Session | None:
        session = self.sessions.read(cookie)
        if session is None:
            return None
        if session.token is None:  # the provider vouched
            return session if self.provider else None
        # Whose token was taken out of the file is out at the next start, however long the session would last; the
        # role is what the file says now.
        entry = self._tokens.entry(session.token, now_ns=self._clock.now_ns()) if self._tokens else None
        return session.model_copy(update={"name": entry.name, "role": entry.role}) if entry else None
