import datetime as dt
import re
import tomllib
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from ops.clock import SystemClock
from ops.tokens import Tokens, TokensError, hash_of, new_token
from tests.ecgstream.commands import status_of
from tests.web.safety.keys import TOKENS, write_tokens
from web.access import Caller
from web.safety.authenticator import Authenticator, UnknownTokenError
from web.safety.tokens import TABLE, TokenEntry, read_tokens
from web.settings import WebSettings

ENTRY = TokenEntry(name="night", role="viewer", sha256=hash_of("t"), expires=dt.date(2024, 10, 4))
GOOD = f'name = "a"\nrole = "viewer"\nsha256 = "{"0" * 64}"'


def test_a_token_is_known_again(tmp_path: Path) -> None:
    tokens = read_tokens(write_tokens(tmp_path / "tokens.toml"))
    found = tokens.find(TOKENS["responder"], now_ns=0)
    assert found is not None
    assert (found.name, found.role) == ("the responder", "responder")


@pytest.mark.parametrize("token", ["", "ecgs_", TOKENS["admin"] + " ", TOKENS["admin"][:-1], "x" * 10**6, "\ud800"])
def test_nothing_else_is(tmp_path: Path, token: str) -> None:
    assert read_tokens(write_tokens(tmp_path / "tokens.toml")).find(token, now_ns=0) is None


def test_a_token_counts_to_the_end_of_its_last_day() -> None:
    tokens = Tokens([ENTRY])
    last_ns = int(dt.datetime(2024, 10, 5, tzinfo=dt.UTC).timestamp()) * 10**9
    assert tokens.find("t", now_ns=last_ns - 10**9) is not None
    assert tokens.find("t", now_ns=last_ns) is None
    assert tokens.entry(ENTRY.sha256, now_ns=last_ns) is None


def test_tokens_differ() -> None:
    assert len({new_token() for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("token = 1", "list"),
        ("[[token", "not TOML"),
        ("", "token"),
        (f"[[token]]\n{GOOD}\ntypo = 1", "typo"),
        (f"[[token]]\n{GOOD.replace('viewer', 'boss')}", "role"),
        (f"[[token]]\n{GOOD.replace('0' * 64, 'ecgs_plain')}", "sha256"),
        (f"[[token]]\n{GOOD}\nexpires = 'soon'", "expires"),
        (f"[[token]]\n{GOOD}\n[[token]]\n{GOOD}", "two entries have the name a"),
        (f"[[token]]\n{GOOD}\n[[token]]\n{GOOD}".replace('"a"', '"b"', 1), "two entries have the sha256"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "tokens.toml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(TokensError, match=said) as refused:
        read_tokens(path)
    assert "ecgs_plain" not in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TokensError, match="No such file"):
        read_tokens(tmp_path / "none.toml")


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    path = write_tokens(tmp_path / "tokens.toml")
    path.chmod(mode)
    with pytest.raises(TokensError, match="chmod 600"):
        read_tokens(path)


@given(
    name=st.text(st.characters(blacklist_categories=["Cc", "Cs"]), min_size=1, max_size=100),
    expires=st.none() | st.dates(),
)
def test_an_entry_is_read_as_it_was_written(name: str, expires: dt.date | None) -> None:
    entry = TokenEntry(name=name, role="admin", sha256=hash_of("t"), expires=expires)
    (read,) = tomllib.loads(entry.written(TABLE))["token"]
    assert TokenEntry.model_validate(read) == entry


def test_the_command_makes_a_token_with_its_entry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["web-token", 'night "shift"', "--role", "responder"]) == 0
    said = capsys.readouterr().out
    path = tmp_path / "tokens.toml"
    path.write_text(said[said.index("[[token]]") :])
    path.chmod(0o600)
    (token,) = re.findall(r"ecgs_[\w-]{43}", said)
    found = read_tokens(path).find(token, now_ns=0)
    assert found is not None
    assert (found.name, found.role) == ('night "shift"', "responder")


@pytest.mark.parametrize("arguments", [["", "--role", "viewer"], ["a\nb", "--role", "viewer"], ["a", "--role", "boss"]])
def test_a_name_or_role_that_cannot_be_is_wrong_usage(arguments: list[str]) -> None:
    assert status_of(["web-token", *arguments]) == 2


def test_a_service_that_nobody_has_set_up_draws_a_token_at_its_start() -> None:
    settings = WebSettings(host="0.0.0.0", url="http://127.0.0.1:8000", start_token=True)  # noqa: S104 # the point
    with structlog.testing.capture_logs() as logs:
        authenticator = Authenticator(settings, clock=SystemClock())
        other = Authenticator(settings, clock=SystemClock())
    first, second = (line["token"] for line in logs)
    assert logs[0]["signs_in_at"] == "http://127.0.0.1:8000/signin"
    assert authenticator.auth == "token"
    assert authenticator.caller_by(first)[0] == Caller(name="admin", role="admin")
    for stranger, token in ((authenticator, second), (other, first)):
        with pytest.raises(UnknownTokenError):
            stranger.caller_by(token)
    assert authenticator.enter(authorization=None, cookies={}).caller is None
