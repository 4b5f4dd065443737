"""A patient, driven as a person would."""

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from ecg.files import read_file
from ecg.leads import lead_name
from ecg.records import MISSING
from tests.support.browser import PHONE, OpenPage, drawn, fits, shot
from tests.support.live_ward import LiveWard

pytestmark = [
    pytest.mark.browser,
    pytest.mark.broker,
    pytest.mark.asyncio(loop_scope="session"),
]


async def test_leads_sweep_on_paper_and_scale_is_chosen(live_ward: LiveWard, watched: OpenPage) -> None:
    page = (await watched(color_scheme="dark", moving=True)).page
    await page.goto(f"{live_ward.url}/patients/119")
    await expect(page.get_by_text("MLII, V1")).to_be_visible()
    for canvas in await page.locator(".paper-box canvas").all():
        await drawn(canvas)
    await expect(page.locator(".patient-head .rate")).to_have_text(re.compile(r"^\d+$"))
    await expect(page.get_by_role("region", name="Verdict")).to_contain_text("Fused score")
    for name, choices in (("Paper speed", (6.25, 12.5, 25, 50)), ("Gain", (5, 10, 20))):
        box = page.get_by_label(name)
        for choice in choices:
            await box.select_option(str(choice))
            await expect(box).to_have_value(str(choice))
    await page.get_by_label("Signal").select_option("As the detector sees it")
    await drawn(page.locator(".paper-box canvas").first)
    await shot(page, "patient-dark")


async def test_look_back_goes_from_event_to_event(live_ward: LiveWard, watched: OpenPage) -> None:
    page = (await watched(color_scheme="light")).page
    await page.goto(f"{live_ward.url}/patients/207")
    live = page.get_by_role("button", name="Back to live")
    await expect(live).to_have_attribute("aria-pressed", "true")
    await expect(page.get_by_role("region", name="Alarms").get_by_role("listitem").first).to_be_visible()
    await page.get_by_role("button", name="Previous event").click()
    await expect(live).to_have_attribute("aria-pressed", "false")
    await expect(page).to_have_url(re.compile(r"/patients/207\?t="))
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("c")
    await expect(page.locator(".caliper-told")).to_contain_text("ms")
    await shot(page, "patient-look-back")

    address = page.url
    await page.keyboard.press("c")
    await page.reload()
    await expect(live).to_have_attribute("aria-pressed", "false")
    assert page.url.split("&")[0] == address.split("&")[0]
    await drawn(page.locator(".paper-box canvas").first)
    await page.keyboard.press("l")
    await expect(live).to_have_attribute("aria-pressed", "true")


async def test_what_is_on_the_paper_is_saved_as_a_file(live_ward: LiveWard, watched: OpenPage, tmp_path: Path) -> None:
    one = await watched()
    one.allowed.add(404)  # the paper may reach back to before the first sample
    page = one.page
    await page.goto(f"{live_ward.url}/patients/207")
    await expect(page.get_by_role("region", name="Alarms").get_by_role("listitem").first).to_be_visible()
    await page.get_by_role("button", name="Previous event").click()
    await expect(page).to_have_url(re.compile(r"/patients/207\?t="))
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="EDF+").click()
    file = tmp_path / (await downloading.value).suggested_filename
    await (await downloading.value).save_as(file)
    record = read_file(file)
    assert [lead_name(lead) for lead in record.leads] == ["MLII", "V1"]
    assert (record.samples != MISSING).any()


async def test_a_beat_is_reclassed_and_stays_so(live_ward: LiveWard, watched: OpenPage) -> None:
    one = await watched()
    one.allowed.add(404)  # the paper may reach back to before the first sample
    page = one.page
    await page.goto(f"{live_ward.url}/patients/207")
    beats = page.get_by_role("region", name="Beats")
    await expect(beats).to_contain_text("Stop the paper")
    await expect(page.get_by_role("region", name="Alarms").get_by_role("listitem").first).to_be_visible()
    await page.get_by_role("button", name="Previous event").click()
    choice = beats.get_by_role("combobox").first
    async with page.expect_response(lambda answer: answer.request.method == "POST") as answering:
        await choice.select_option("Class F")
    assert (await answering.value).status == 201
    await page.reload()
    await expect(beats.get_by_role("combobox").first).to_have_value("F")
    await choice.select_option("Not reviewed")
    await page.reload()
    await expect(beats.get_by_role("combobox").first).to_have_value("")


async def test_address_of_an_alarm_shows_its_moment(live_ward: LiveWard, watched: OpenPage) -> None:
    page = (await watched()).page
    await page.goto(f"{live_ward.url}/alarms?patient=223")
    await page.locator(".alarm .pick").first.click()
    await page.locator(".detail a.patient").click()
    await expect(page).to_have_url(re.compile(r"/patients/223\?t=\d{4}-"))
    await expect(page.get_by_role("button", name="Back to live")).to_have_attribute("aria-pressed", "false")
    await drawn(page.locator(".paper-box canvas").first)


async def test_unknown_patient_is_told(live_ward: LiveWard, watched: OpenPage) -> None:
    one = await watched()
    one.allowed.add(404)
    await one.page.goto(f"{live_ward.url}/patients/nobody")
    await expect(one.page.locator("main")).to_contain_text(re.compile("nobody|nothing has come", re.IGNORECASE))
    await expect(one.page.locator(".state-note")).to_be_visible()


async def test_patient_fits_a_phone(live_ward: LiveWard, watched: OpenPage) -> None:
    page = (await watched(size=PHONE, has_touch=True, is_mobile=True, color_scheme="dark")).page
    await page.goto(f"{live_ward.url}/patients/106")
    await drawn(page.locator(".paper-box canvas").first)
    await expect(page.get_by_role("region", name="Verdict")).to_contain_text("Fused score")
    assert await fits(page)
    await shot(page, "patient-phone", whole=True)
