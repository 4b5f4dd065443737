from pathlib import Path

import pytest

from bus.testing import FakeClock
from ops.problems import ProblemError
from web.access import Caller
from web.scoring.kept import ABOUT, About, read_questionnaire
from web.scoring.questionnaire import Questionnaire
from web.scoring.store import LEAST_FREE_MB, Store, state_folder
from web.settings import WebSettings

OWNER = Caller(name="anna", role="responder")
OTHER = Caller(name="ben", role="responder")
ADMIN = Caller(name="root", role="admin")
DAY_S = 86_400.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Store:
    store = Store(tmp_path, keep_days=2, keep_mb=100, clock=clock)
    store.open()
    return store


def keep(store: Store, clock: FakeClock, digit: str, *, size: int = 10, owner: str = "anna") -> str:
    folder = store.recordings / (digit * 32)
    folder.mkdir()
    (folder / "samples.npy").write_bytes(b"\0" * size)
    about = About(id=folder.name, owner=owner, name="r", created_ns=clock.now_ns(), seconds=10.0, decision="normal")
    (folder / ABOUT).write_text(about.model_dump_json())
    return folder.name


def ids(store: Store, caller: Caller) -> list[str]:
    return [each.id[0] for each in store.seen_by(caller)]


async def test_the_owner_and_admins_see_a_recording_and_nobody_else(store: Store, clock: FakeClock) -> None:
    number = keep(store, clock, "a")
    await clock.advance(1)
    keep(store, clock, "b", owner="ben")
    assert (ids(store, OWNER), ids(store, OTHER), ids(store, ADMIN)) == (["a"], ["b"], ["b", "a"])
    assert store.find(number, OWNER)[1].expires_ns == store.find(number, ADMIN)[1].created_ns + 2 * 86_400 * 10**9
    for act in (
        store.find,
        store.delete,
        lambda number, caller: store.save_questionnaire(number, caller, Questionnaire(age=1)),
    ):
        with pytest.raises(ProblemError, match="no such recording") as refused:
            act(number, OTHER)
        assert refused.value.status == 404


@pytest.mark.parametrize("number", ["", ".", "..", "../recordings/" + "a" * 32, "A" * 32, "a" * 31, "a" * 33, "/etc"])
def test_no_id_leads_elsewhere(store: Store, clock: FakeClock, number: str) -> None:
    keep(store, clock, "a")
    with pytest.raises(ProblemError, match="no such recording"):
        store.find(number, ADMIN)


async def test_a_recording_expires(store: Store, clock: FakeClock) -> None:
    keep(store, clock, "a")
    await clock.advance(DAY_S)
    keep(store, clock, "b")
    await clock.advance(DAY_S + 1)
    store.sweep()
    assert ids(store, ADMIN) == ["b"]


async def test_the_oldest_make_room(store: Store, clock: FakeClock) -> None:
    for digit in "abc":
        keep(store, clock, digit, size=40_000_000)
        await clock.advance(1)
    store.sweep()
    assert ids(store, ADMIN) == ["c", "b"]


def test_what_a_service_left_unfinished_is_cleared_away_and_the_recordings_stay(
    store: Store, clock: FakeClock, tmp_path: Path
) -> None:
    keep(store, clock, "a")
    (store.begin() / "file0").write_bytes(b"half")
    (store.recordings / "no-recording").mkdir()
    for _ in range(2):
        after = Store(tmp_path, keep_days=2, keep_mb=100, clock=clock)
        after.open()
        assert not list((tmp_path / "incoming").iterdir())
        assert ids(after, OWNER) == ["a"]


def test_delete_leaves_nothing(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    number = keep(store, clock, "a")
    store.save_questionnaire(number, OWNER, Questionnaire(age=61, symptoms="palpitations"))
    assert read_questionnaire(store.recordings / number) == Questionnaire(age=61, symptoms="palpitations")
    store.delete(number, OWNER)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_nearly_full_disk_is_told_before_a_byte_is_taken(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = LEAST_FREE_MB * 10**6 - 1

    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage)
    with pytest.raises(ProblemError, match="disk of the service is full") as refused:
        store.begin()
    assert refused.value.status == 507


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path, clock: FakeClock) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ProblemError, match="ECGSTREAM_WEB_STATE"):
        Store(tmp_path / "file", keep_days=1, keep_mb=100, clock=clock).open()


def test_recordings_lie_in_the_users_state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_folder(WebSettings(_env_file=None)) == tmp_path / "ecgstream" / "web"
    assert state_folder(WebSettings(_env_file=None, state=tmp_path / "here")) == tmp_path / "here"
