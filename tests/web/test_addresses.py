import pytest

from web.addresses import host_of, is_loopback


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.1", "::1", "[::1]"])
def test_this_machine_is_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["", "0.0.0.0", "::", "10.0.0.1", "localhost.example.org", "127.0.0.1.example.org", "2130706433"],  # noqa: S104 # that is the point
)
def test_nothing_else_is(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("localhost:8000", "localhost"),
        ("Ward.Example.org", "ward.example.org"),
        ("[::1]:8000", "[::1]"),
        ("127.0.0.1", "127.0.0.1"),
        (None, None),
        ("", None),
        ("localhost:8000:1", None),
        ("localhost@evil.example", None),
        ("localhost/evil", None),
        ("evil.example localhost", None),
    ],
)
def test_a_host_header_is_read(header: str | None, host: str | None) -> None:
    assert host_of(header) == host
