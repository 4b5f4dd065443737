"""A ward of thousands, and a patient of whom two devices send: a page that is served without a broker."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.alerting.alerts import alert
from tests.alerting.verdicts import verdict
from tests.support.browser import OpenPage, drawn, shot, value
from tests.support.waiting import until
from tests.web.live.chunks import START_NS, chunk
from tests.web.parts import make_parts
from web.app import make_app
from web.live.hub import Hub
from web.live.verdicts import VerdictHead
from web.server import Server
from web.settings import WebSettings

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
COUNT = 5200
SENDING = 300  # the others are known and say nothing new
SHOWN = 120
LENGTH = 180
TWO = "p0000"


class Crowd:
    """A hub whose topics are made up."""

    def __init__(self, hub: Hub, url: str) -> None:
        self.hub, self.url = hub, url
        self.at = 0

    def furnish(self) -> None:
        now_ms = self.hub._now_ms()
        for number in range(COUNT):
            patient = f"p{number:04}"
            self.hub.ward.take_chunk(chunk(0, LENGTH, patient=patient), now_ms)
            one = verdict(0, "abnormal" if number % 9 == 0 else "normal", patient=patient)
            head = VerdictHead.model_validate_json(one.to_bytes())
            self.hub.ward.take_verdict(head, one.to_bytes(), offset=number, sent_ms=now_ms)
        for number in range(0, SENDING, 50):
            patient = f"p{number:04}"
            self.hub.ward.take_alert(alert(id=f"{patient}/1/1/x", patient=patient, priority="high"), sent_ms=now_ms)

    async def send(self) -> None:
        """Samples of some, and of one patient those of two devices, for as long as somebody looks."""
        while True:
            self.at += 1
            for number in range(SENDING):
                self.take(f"p{number:04}")
                if not number % 50:
                    await asyncio.sleep(0)
            self.take(TWO, device="patch", base_ns=START_NS + 7_000_000_000)
            self.hub.watchers.send()
            self.hub.events.changed(self.hub.ward.changed_at(self.hub._now_ms()))
            self.hub.events.flush()
            await asyncio.sleep(0.5)

    def take(self, patient: str, **changes: object) -> None:
        one = chunk(self.at * LENGTH, LENGTH, patient=patient, **changes)  # type: ignore[arg-type] # as the caller says
        arrived = self.hub.ward.take_chunk(one, self.hub._now_ms())
        if arrived is not None:
            self.hub.watchers.arrived(arrived)


@pytest_asyncio.fixture(loop_scope="session")
async def crowd(tmp_path: Path) -> AsyncIterator[Crowd]:
    settings = WebSettings(_env_file=None, state=tmp_path / "web")
    parts = make_parts(tmp_path, settings=settings)
    hub = parts.hub
    hub._reached = True
    hub._identified.set()
    for follower in hub._followers:
        follower.caught_up.set()
    server = Server(make_app(parts), settings)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Crowd(hub, f"http://127.0.0.1:{listener.getsockname()[1]}")
        made.furnish()
        serving, sending = asyncio.create_task(server.serve([listener])), asyncio.create_task(made.send())
        await until(lambda: server.ready or serving.done())
        yield made
        sending.cancel()
        hub.close()
        server.should_exit = True
        await serving


async def test_a_ward_of_thousands_shows_those_who_need_somebody_first(crowd: Crowd, watched: OpenPage) -> None:
    page = (await watched(color_scheme="dark")).page
    await page.goto(crowd.url)
    await expect(page.locator(".chips > .number")).to_have_text(f"{COUNT} patients")
    await expect(page.locator(".ward .tile")).to_have_count(SHOWN)
    await expect(page.locator(".ward .tile").first.locator(".badge")).to_have_text("High")
    await drawn(page.locator(".ward .tile canvas").first)
    more = page.get_by_role("button", name=f"The {SHOWN} most urgent of {COUNT} patients: show {SHOWN} more")
    await more.scroll_into_view_if_needed()
    await shot(page, "crowd-more")
    await more.click()
    await expect(page.locator(".ward .tile")).to_have_count(2 * SHOWN)
    await page.get_by_label("Find a patient").fill("p51")
    await expect(page.locator(".ward .tile")).to_have_count(100)
    await expect(page.locator(".ward-more")).to_be_hidden()
    await page.get_by_label("Find a patient").fill("")
    await expect(page.locator(".ward .tile")).to_have_count(2 * SHOWN)
    await page.evaluate("scrollTo(0, 0)")
    # It still draws: frames come, and the trace of who sends goes on.
    await value(page, "ecgstream.figures.sample_age_ms.p50")
    await shot(page, "crowd")


async def test_two_devices_under_one_id_are_told_and_one_is_shown(crowd: Crowd, watched: OpenPage) -> None:
    page = (await watched(color_scheme="light")).page
    # What was judged before stands on Kafka, and there is none here.
    await page.route("**/verdicts?*", lambda route: route.fulfill(json={"verdicts": [], "next": None}))
    await page.goto(f"{crowd.url}/patients/{TWO}")
    several = page.locator(".patient-head .several")
    await expect(several).to_have_text("2 devices send under this patient's id. Shown: holter. Not shown: patch.")
    await shot(page, "two-devices")
