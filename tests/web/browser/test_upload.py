"""Upload, driven as a person would: real recordings, hostile files, samples, single beats."""

import io
import re
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.async_api import Page, expect

from ecg.wfdb_files import toy_record
from tests.paper.drawn import drawn_page
from tests.support.browser import PHONE, OpenPage, fits, shot
from tests.support.live_ward import LiveWard, Stay, lay_out

pytestmark = [
    pytest.mark.browser,
    pytest.mark.broker,
    pytest.mark.asyncio(loop_scope="session"),
]

READ_MS = 60_000  # the first picture loads what reads pictures
RECORDING = Stay(record="208", excerpt="208", shows="ventricular and fusion beats")


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The files of a recording with many ventricular beats."""
    folder = tmp_path_factory.mktemp("to-upload")
    lay_out([RECORDING], folder, seconds=60.0)
    return [folder / "208.hea", folder / "208.dat"]


async def choose(page: Page, *files: Path) -> None:
    """Choose files as the browser's own dialog does."""
    await page.set_input_files("#upload-files", list(files))


async def test_recording_is_scored_and_explained(
    live_ward: LiveWard, watched: OpenPage, recording: list[Path], tmp_path: Path
) -> None:
    page = (await watched(color_scheme="dark", accept_downloads=True)).page
    await page.goto(f"{live_ward.url}/upload")
    await choose(page, *recording)
    await expect(page.locator(".chosen")).to_contain_text("208.hea + 208.dat")
    await page.get_by_text("About the person").click()
    await page.get_by_label("Age, years").fill("61")
    await page.get_by_label("Sex").select_option("Male")
    await page.get_by_label("Symptoms").fill("palpitations at rest")
    await shot(page, "upload-chosen")
    await page.get_by_role("button", name="Score", exact=True).click()

    await expect(page).to_have_url(re.compile(r"/recordings/[0-9a-f]{32}$"))
    await expect(page.locator(".verdict")).to_have_text("Abnormal")
    await expect(page.locator(".sure")).to_contain_text(re.compile(r"windows abnormal.* confidence"))
    await expect(page.locator(".said")).to_contain_text("judged on MLII")
    await expect(page.get_by_role("columnheader", name="Lead")).to_be_visible()
    await expect(page.locator(".timeline .piece")).not_to_have_count(0)
    await expect(page.get_by_role("row", name=re.compile("couplet"))).to_be_visible()
    await expect(page.locator(".counts").first).to_contain_text("V, ventricular")
    await expect(page.get_by_text("palpitations at rest")).to_be_visible()
    strip = page.locator(".paper-strip")
    await expect(strip.locator(".trace")).to_have_count(1)  # the excerpt has one lead
    await expect(strip.locator(".beat-V").first).to_be_visible()
    await shot(page, "recording-dark", whole=True)

    before = await strip.get_attribute("aria-label")
    await page.get_by_role("button", name="Next finding").click()
    await expect(strip).not_to_have_attribute("aria-label", before or "")
    for name, kind in (("Report", "text/html"), ("PDF", "application/pdf")):
        link = await page.get_by_role("link", name=name, exact=True).get_attribute("href")
        answer = await page.request.get(f"{live_ward.url}{link}")
        assert answer.ok
        assert answer.headers["content-type"].startswith(kind)
    async with page.expect_download() as download:
        await page.get_by_role("button", name="JSON").click()
    saved = tmp_path / "result.json"
    await (await download.value).save_as(saved)
    assert '"aggregate"' in saved.read_text()


async def test_hostile_files_are_refused_beside_a_good_one(
    live_ward: LiveWard, watched: OpenPage, recording: list[Path], tmp_path: Path
) -> None:
    pickled, climbing, image = tmp_path / "pickled.npy", tmp_path / "climbing.zip", tmp_path / "image.edf"
    np.save(pickled, np.array([{"os": "system"}], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(climbing, "w") as archive:
        archive.writestr("../../escaped.hea", "escaped 1 360 10\n")
    image.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500))
    page = (await watched()).page
    await page.goto(f"{live_ward.url}/upload")
    await choose(page, *recording, pickled, climbing, image)
    await page.get_by_role("button", name="Score 4 recordings").click()

    good = page.locator(".result", has_text="208")
    await expect(good.locator(".verdict-badge")).to_have_text("Abnormal")
    for file in (pickled, climbing, image):
        refused = page.locator(".result.failed", has_text=file.name)
        await expect(refused.get_by_role("alert")).to_have_text(re.compile(r"\w+ \w+ \w+"))
    await shot(page, "upload-hostile", whole=True)


async def test_file_that_is_no_recording_is_told_before_it_is_sent(
    live_ward: LiveWard, watched: OpenPage, recording: list[Path], tmp_path: Path
) -> None:
    film = tmp_path / "holiday.mp4"
    film.write_bytes(bytes(8))
    page = (await watched()).page
    await page.goto(f"{live_ward.url}/upload")
    await choose(page, recording[1], film)
    await expect(page.locator(".chosen")).to_contain_text("208.dat needs its header: add 208.hea")
    await expect(page.locator(".chosen")).to_contain_text("holiday.mp4 is not of a kind that is read")
    await expect(page.get_by_role("button", name="Score", exact=True)).to_be_disabled()
    await page.get_by_role("button", name="Leave out holiday.mp4").click()
    await expect(page.locator(".chosen li")).to_have_count(1)


async def test_picture_of_a_paper_ecg_is_scored_and_how_it_was_read_is_told(
    live_ward: LiveWard, watched: OpenPage, tmp_path: Path
) -> None:
    picture = tmp_path / "page.png"
    cv2.imwrite(str(picture), drawn_page(layout="3x4+1", px_per_mm=6.0).image)
    page = (await watched()).page
    await page.goto(f"{live_ward.url}/upload")
    await choose(page, picture)
    await page.get_by_role("button", name="Score", exact=True).click()
    await expect(page).to_have_url(re.compile(r"/recordings/[0-9a-f]{32}$"), timeout=READ_MS)
    await expect(page.locator(".said")).to_contain_text("judged on II")
    await expect(page.locator(".remarks li").first).to_contain_text("read from a picture: 3x4+1, 25 mm/s")
    await shot(page, "recording-of-paper", whole=True)


async def test_refusal_of_all_files_is_told_in_words(live_ward: LiveWard, watched: OpenPage, tmp_path: Path) -> None:
    one = await watched()
    one.allowed.add(422)
    table = tmp_path / "table.csv"
    table.write_text("a,b\n=cmd|' /C calc'!A0,2\n")
    await one.page.goto(f"{live_ward.url}/upload")
    await choose(one.page, table)
    await one.page.get_by_label("Sampling rate, Hz").fill("360")
    await one.page.get_by_role("button", name="Score", exact=True).click()
    await expect(one.page.locator(".state-failure")).to_contain_text("table.csv")


async def test_beats_have_class_and_error(live_ward: LiveWard, watched: OpenPage, tmp_path: Path) -> None:
    page = (await watched(color_scheme="light")).page
    beats = tmp_path / "beats.npy"
    np.save(beats, np.random.default_rng(0).normal(size=(3, 140)))
    await page.goto(f"{live_ward.url}/upload")
    await choose(page, beats)
    await page.get_by_label("Single beats of 140 samples").check()
    await page.get_by_role("button", name="Score the beats").click()
    await expect(page.locator(".beat-list .beat")).to_have_count(3)
    await expect(page.locator(".beat").first).to_contain_text(re.compile(r"Error \d"))


@pytest.mark.data("ecg5000")
async def test_beats_of_ecg5000_are_a_sample(live_ward: LiveWard, watched: OpenPage) -> None:
    page = (await watched(color_scheme="light")).page
    await page.goto(f"{live_ward.url}/upload")
    await page.get_by_role("button", name="20 beats of ECG5000").click()
    await expect(page.locator(".beat-list .beat")).to_have_count(20)
    await shot(page, "upload-beats", whole=True)


async def test_file_is_dropped(live_ward: LiveWard, watched: OpenPage) -> None:
    page = (await watched()).page
    await page.goto(f"{live_ward.url}/upload")
    rows = io.StringIO()
    np.savetxt(rows, toy_record().samples[:3600] / 200, fmt="%.3f")
    data = await page.evaluate_handle(
        "text => { const all = new DataTransfer(); all.items.add(new File([text], 'dropped.csv')); return all; }",
        rows.getvalue(),
    )
    await page.dispatch_event(".drop", "drop", {"dataTransfer": data})
    await expect(page.locator(".chosen")).to_contain_text("dropped.csv")
    await page.get_by_label("Sampling rate, Hz").fill("360")
    await page.get_by_role("button", name="Score", exact=True).click()
    await expect(page.locator(".recording-head .verdict")).to_be_visible()


async def test_sample_is_scored_on_a_phone(live_ward: LiveWard, watched: OpenPage) -> None:
    page = (await watched(size=PHONE, has_touch=True, is_mobile=True, color_scheme="light")).page
    await page.goto(f"{live_ward.url}/upload")
    await page.get_by_role("button", name="208-excerpt").tap()
    await expect(page.locator(".verdict")).to_have_text("Abnormal")
    await expect(page.locator(".paper-strip")).to_be_visible()
    assert await fits(page)
    await shot(page, "recording-phone", whole=True)
