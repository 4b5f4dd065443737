"""Accessibility and sign-in: what axe-core finds, the shell by keyboard, signing in."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from ecgstream.children import Command
from ops.ports import free_ports
from ops.tokens import hash_of, new_token
from tests.support.browser import PHONE, OpenPage, shot, violations
from tests.support.live_ward import LiveWard
from web.safety.tokens import TABLE, TokenEntry

pytestmark = [
    pytest.mark.browser,
    pytest.mark.broker,
    pytest.mark.asyncio(loop_scope="session"),
]

# The address, and what is there once the view is; first what needs no alarm, while the ward's first ones come.
VIEWS = {
    "/upload": ".sample-buttons .button",
    "/alarms": ".alarm .miniature",
    "/patients/207": ".patient-alarms li",
    "/": ".ward .tile[data-state=high]",
}


@pytest.mark.parametrize("path", VIEWS)
async def test_view_is_accessible(live_ward: LiveWard, watched: OpenPage, path: str) -> None:
    page = (await watched(color_scheme="dark")).page
    await page.goto(live_ward.url + path)
    await expect(page.locator(VIEWS[path]).first).to_be_visible()
    if path == "/alarms":
        await page.locator(".alarm .pick").first.click()
        await expect(page.locator(".life li").first).to_be_visible()
    assert await violations(page) == []
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    assert await violations(page) == []


async def test_recording_and_dialogs_are_accessible(live_ward: LiveWard, watched: OpenPage) -> None:
    page = (await watched()).page
    await page.goto(f"{live_ward.url}/upload")
    await page.get_by_role("button", name="208-excerpt").click()
    await expect(page.locator(".paper-strip")).to_be_visible()
    assert await violations(page) == []
    await page.get_by_role("button", name="Help and shortcuts").click()
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    assert await violations(page) == []
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Sound settings").click()
    await expect(page.get_by_role("dialog", name="Sound of alarms")).to_be_visible()
    assert await violations(page) == []


async def test_first_key_skips_to_the_content(live_ward: LiveWard, watched: OpenPage) -> None:
    page = (await watched()).page
    await page.goto(live_ward.url)
    await expect(page.locator(".ward .tile").first).to_be_visible()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()


async def test_theme_is_changed_and_kept(live_ward: LiveWard, watched: OpenPage) -> None:
    page = (await watched(color_scheme="dark")).page
    await page.goto(live_ward.url)
    theme = page.get_by_role("button", name="Theme")
    await theme.click()
    await theme.click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "light")
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-theme", "light")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guarded(live_ward: LiveWard, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[str, str]]:
    """A page on the same ward that asks who is there: its address, and a viewer's token."""
    folder: Path = tmp_path_factory.mktemp("guarded")
    token = new_token()
    tokens = folder / "tokens.toml"
    tokens.write_text(TokenEntry(name="a visitor", role="viewer", sha256=hash_of(token)).written(TABLE))
    tokens.chmod(0o600)
    (port,) = free_ports(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGSTREAM_WEB_TOKENS", str(tokens))
        patch.setenv("ECGSTREAM_ALERTING_ALARM_DB", live_ward.alarm_db)
        web = Command("web", "web", "--port", str(port), kafka=live_ward.kafka, logs=folder)
    async with web:
        await web.ready()
        yield f"http://127.0.0.1:{port}", token


async def test_token_lets_in_and_its_role_counts(guarded: tuple[str, str], watched: OpenPage) -> None:
    url, token = guarded
    one = await watched()
    one.allowed.update({401, 403})
    await one.page.goto(f"{url}/alarms")
    await expect(one.page).to_have_url(f"{url}/signin?next=%2Falarms")
    await expect(one.page.get_by_role("heading", name="Sign in to ecgstream")).to_be_visible()
    assert await violations(one.page) == []
    await shot(one.page, "signin")
    field = one.page.get_by_label("Token")
    await field.fill("ecgs_of-somebody-else")
    await field.press("Enter")
    await expect(one.page.get_by_role("alert").filter(has_text="token")).to_be_visible()
    await field.fill(token)
    await field.press("Enter")

    await expect(one.page).to_have_url(f"{url}/alarms")
    await expect(one.page.locator(".alarm").first).to_be_visible()
    await expect(one.page.get_by_text("a visitor")).to_be_visible()
    # A viewer looks, and answers nothing.
    await expect(one.page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    await one.page.goto(f"{url}/upload")
    await expect(one.page.get_by_text("ask for the role responder")).to_be_visible()
    await one.page.get_by_role("button", name="Sign out").click()
    await expect(one.page).to_have_url(f"{url}/signin?next=%2Fupload")
