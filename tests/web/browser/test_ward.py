"""The ward, driven as a person would."""

import re

import pytest
from playwright.async_api import Page, expect

from ecg.urgency import PATIENT_STATES
from tests.support.browser import PHONE, OpenPage, drawn, fits, shot, value
from tests.support.live_ward import STAYS, LiveWard

pytestmark = [
    pytest.mark.browser,
    pytest.mark.broker,
    pytest.mark.asyncio(loop_scope="session"),
]

_SORTED = f"""[...document.querySelectorAll(".ward .tile")].every((tile, at, all) => at === 0 ||
  {list(PATIENT_STATES)}.indexOf(all[at - 1].dataset.state) <= {list(PATIENT_STATES)}.indexOf(tile.dataset.state))"""


async def all_there(page: Page) -> None:
    """Wait until every patient has a tile, and somebody a high alarm."""
    await expect(page.locator(".ward .tile")).to_have_count(len(STAYS))
    await expect(page.locator(".ward .tile[data-state=high]").first).to_be_visible()


async def test_every_patient_has_a_live_tile_the_most_urgent_first(live_ward: LiveWard, watched: OpenPage) -> None:
    page = (await watched(color_scheme="dark", moving=True)).page
    await page.goto(live_ward.url)
    await all_there(page)
    for tile in await page.locator(".ward .tile").all():
        await drawn(tile.locator("canvas"))
    await value(page, _SORTED)
    await value(page, "ecgstream.figures.sample_age_ms.p50")
    await expect(page.locator(".ward .tile").first.locator(".badge")).to_have_text("High")
    await expect(page.locator(".tile", has_text="101").locator(".tile-rate")).to_have_text(re.compile(r"^\d\d+$"))
    await shot(page, "ward-dark")


async def test_tiles_are_found_by_name_and_by_state(live_ward: LiveWard, watched: OpenPage) -> None:
    page = (await watched(color_scheme="light")).page
    await page.goto(live_ward.url)
    await all_there(page)
    await page.keyboard.press("/")
    await page.keyboard.type("20")
    await expect(page.locator(".ward .tile")).to_have_count(4)  # 201, 203, 205, 207
    await page.get_by_label("Find a patient").fill("")
    await page.locator(".chip[data-state=high]").click()
    await expect(page.locator(".ward .tile:not([data-state=high])")).to_have_count(0)
    await shot(page, "ward-light")


async def test_tile_leads_to_its_patient_and_back(live_ward: LiveWard, watched: OpenPage) -> None:
    page = (await watched()).page
    await page.goto(live_ward.url)
    await all_there(page)
    tile = page.locator(".tile[href$='/patients/115']")
    await tile.focus()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{live_ward.url}/patients/115")
    await expect(page.get_by_role("heading", level=1)).to_have_text("115")
    await page.go_back()
    await all_there(page)


async def test_ward_fits_a_phone(live_ward: LiveWard, watched: OpenPage) -> None:
    page = (await watched(size=PHONE, has_touch=True, is_mobile=True, color_scheme="dark")).page
    await page.goto(live_ward.url)
    await all_there(page)
    await drawn(page.locator(".tile canvas").first)
    assert await fits(page)
    await shot(page, "ward-phone")
