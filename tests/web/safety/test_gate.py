from pathlib import Path

import pytest

from web.safety.gate import OpenAccessError, check_access
from web.settings import WebSettings


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_nobody_need_sign_in_on_this_machine(host: str) -> None:
    check_access(WebSettings(_env_file=None, host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "ward.example.org", ""])  # noqa: S104 # that is the point
def test_without_authentication_it_does_not_listen_to_a_network(host: str) -> None:
    with pytest.raises(OpenAccessError, match=r"loopback address alone: listen on 127\.0\.0\.1"):
        check_access(WebSettings(_env_file=None, host=host))


def test_on_a_network_it_has_an_address_that_people_open(tmp_path: Path) -> None:
    with pytest.raises(OpenAccessError, match="set ECGSTREAM_WEB_URL"):
        check_access(WebSettings(_env_file=None, host="192.168.1.5", tokens=tmp_path / "tokens.toml"))
    check_access(
        WebSettings(_env_file=None, host="192.168.1.5", tokens=tmp_path / "tokens.toml", url="https://ward.example.org")
    )
