"""A real OpenID Connect provider on this machine, whose ID tokens can be spoilt."""

import base64
import contextlib
import hashlib
import json
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import flask
import httpx
import werkzeug.serving
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

with warnings.catch_warnings(record=True):  # it stands on what its libraries deprecate
    warnings.simplefilter("ignore")
    import oidc_provider_mock

CLIENT_ID = "ecgstream"
CLIENT_SECRET = "kept by the provider and us, and long enough to sign with"

Claims = dict[str, Any]


@dataclass(kw_only=True)
class Provider:
    """The provider at work.

    Attributes
    ----------
    url : where it is
    spoil : changes the claims of the ID tokens
    algorithm : what they are signed by: "HS256" is the client's secret, "none" nothing
    own_key : whether by its own key
    asked : the last request for a token
    """

    url: str
    spoil: Callable[[Claims], Claims] | None = None
    algorithm: str = "RS256"
    own_key: bool = True
    asked: dict[str, str] = field(default_factory=dict)

    async def sign_in(self, authorize: str, *, subject: str, action: str | None = None) -> str:
        """Sign somebody in as a person would on its page; returns where it sends them back to."""
        async with httpx.AsyncClient() as browser:
            answer = await browser.post(authorize, data={"sub": subject} | ({"action": action} if action else {}))
        assert answer.status_code in {302, 303}, answer.text
        return answer.headers["location"]

    def signed(self, claims: Claims, key: Claims) -> str:
        if self.algorithm == "none":
            return ".".join((_encoded({"alg": "none"}), _encoded(claims), ""))
        if self.algorithm == "HS256":
            return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(CLIENT_SECRET))
        own = RSAKey.import_key(key)
        rsa = own if self.own_key else RSAKey.generate_key(2048, {"kid": str(own.kid)})
        return jwt.encode({"alg": "RS256", "kid": own.kid}, claims, rsa)


def verifier_fits(verifier: str, challenge: str) -> bool:
    """Return whether a PKCE verifier is the one that was promised."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode() == challenge


@contextlib.contextmanager
def running_provider() -> Iterator[Provider]:
    """A provider that knows a nurse, a technician of two groups, and a visitor of none."""
    app = oidc_provider_mock.app(
        require_nonce=True,
        user_claims=[
            oidc_provider_mock.User(
                sub="nurse", claims={"preferred_username": "nurse.joy", "groups": ["cardiology", "canteen"]}
            ),
            oidc_provider_mock.User(sub="technician", claims={"name": "Tom", "groups": ["cardiology", "it"]}),
            oidc_provider_mock.User(sub="visitor", claims={"groups": ["canteen"]}),
        ],
    )
    server = werkzeug.serving.make_server("localhost", 0, app, threaded=True)
    provider = Provider(url=f"http://localhost:{server.server_port}")

    def spoilt(response: flask.Response) -> flask.Response:
        if flask.request.path != "/oauth2/token":
            return response
        provider.asked = flask.request.form.to_dict()
        answer = response.get_json()
        if "id_token" in answer and provider.spoil is not None:
            claims = json.loads(_decoded(answer["id_token"].split(".")[1]))
            key = flask.g.oidc_provider_mock_storage.jwk.as_dict(is_private=True)
            answer["id_token"] = provider.signed(provider.spoil(claims), key)
            response.set_data(json.dumps(answer))
        return response

    app.after_request(spoilt)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _encoded(value: Claims) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
