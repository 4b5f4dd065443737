from pathlib import Path
from typing import Any

import pytest

from ecgstream.settings import SettingsError, load
from web.settings import WebSettings

OIDC = {
    "oidc_issuer": "https://login.example.org",
    "oidc_client_id": "ecgstream",
    "oidc_roles": "cardiology=responder, it=admin, a=b=viewer",
    "url": "https://ward.example.org",
}


@pytest.fixture(autouse=True)
def no_dotenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_nobody_need_sign_in_on_this_machine(host: str) -> None:
    assert not load(WebSettings, host=host).signs_in


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "ward.example.org", ""])  # noqa: S104 # the point
def test_without_authentication_it_does_not_listen_to_a_network(host: str) -> None:
    with pytest.raises(SettingsError, match=r"loopback address alone: listen on 127\.0\.0\.1"):
        load(WebSettings, host=host)


def test_on_a_network_it_has_an_address_that_people_open(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.toml"
    with pytest.raises(SettingsError, match="set ECGSTREAM_WEB_URL"):
        load(WebSettings, host="192.168.1.5", tokens=tokens)
    assert load(WebSettings, host="192.168.1.5", tokens=tokens, url="https://ward.example.org/").encrypted


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"url": "ward.example.org"}, "give scheme, host and port alone"),
        ({"url": "https://ward.example.org/page"}, "give scheme, host and port alone"),
        ({"cors_origins": "https://a.example,*"}, r"\* is not an address like"),
        ({"trusted_proxies": "10.0.0.0/8,nobody"}, "nobody"),
        ({"tls_cert": Path("a.pem")}, "set both or none"),
        ({"oidc_issuer": "https://login.example.org"}, "needs ECGSTREAM_WEB_OIDC_CLIENT_ID"),
        (OIDC | {"start_token": True}, "leave it out beside"),
        (OIDC | {"oidc_roles": "cardiology=boss"}, "with a role of viewer, responder, admin"),
    ],
)
def test_what_cannot_be_used_is_told(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load(WebSettings, **settings)


def test_a_secret_that_cannot_be_used_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECGSTREAM_WEB_SESSION_SECRET", "too-short-yet-secret")
    with pytest.raises(SettingsError, match="at least 32") as refused:
        load(WebSettings)
    assert "too-short-yet-secret" not in str(refused.value)


def test_which_value_is_which_role() -> None:
    assert load(WebSettings, **OIDC).roles == {"cardiology": "responder", "it": "admin", "a=b": "viewer"}


def test_origins_are_compared_as_browsers_send_them() -> None:
    settings = load(WebSettings, cors_origins="https://A.example/ , http://b.example:81")
    assert settings.friendly_origins == ("https://a.example", "http://b.example:81")
