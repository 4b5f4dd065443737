"""A real browser on the whole real system: Chromium, and a ward of recordings that runs while the tests look at it."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

from ecgstream.bench.chromium import chromium as headless_chromium

ARTEFACTS = Path(os.environ.get("ECGSTREAM_TEST_ARTEFACTS", Path(__file__).resolve().parents[2] / ".artefacts"))
PATIENCE_MS = 40_000.0  # far beyond what a slow machine needs: reaching it is a failure, not a measurement
DESKTOP = (1440, 900)
PHONE = (390, 844)
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
LEAST_INK = 200  # pixels: more than a letter has
# What the history has of an alarm comes a moment after the alarm: on a slow machine the page asks before.
_YOUNG = re.compile(r"/api/v1/alarms/(strip|life)\?")
_ANSWERED = re.compile(r"Failed to load resource: the server responded with a status of (\d{3})")


class Watched:
    """A page, and what it complained about.

    Parameters
    ----------
    page : the browser's page

    Attributes
    ----------
    complaints : errors on the console, exceptions that nobody caught, and what the content security policy refused
    allowed : HTTP statuses that the test provokes; the browser puts every one of 400 and above on the console
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.allowed: set[int] = set()
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"not caught: {error}"))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type != "error":
            return
        url = message.location.get("url", "")
        if (answered := _ANSWERED.match(message.text)) and (int(answered[1]) in self.allowed or _YOUNG.search(url)):
            return
        self.complaints.append(f"{message.text} ({url})")


expect.set_options(timeout=PATIENCE_MS)

OpenPage = Callable[..., Awaitable[Watched]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """A headless Chromium that all tests share; where there is none, no test gets here."""
    async with headless_chromium() as browser:
        yield browser


class Profiles:
    """Browser profiles that tests use one after the other: a new one for each test costs more than most tests do.

    Parameters
    ----------
    browser : whose profiles they are
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._free: dict[str, list[BrowserContext]] = {}

    @asynccontextmanager
    async def one(self, **options: Any) -> AsyncIterator[BrowserContext]:
        """A profile that nobody else has meanwhile, and in which nothing is kept of who had it before."""
        free = self._free.setdefault(repr(sorted(options.items())), [])
        context = free.pop() if free else await self._browser.new_context(**options)
        context.set_default_timeout(PATIENCE_MS)
        yield context
        for page in context.pages:
            if page.url.startswith("http"):
                await page.evaluate("localStorage.clear()")
            await page.close()
        await context.clear_cookies()
        free.append(context)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def profiles(chromium: Browser) -> Profiles:
    """The profiles that all tests share."""
    return Profiles(chromium)


@pytest_asyncio.fixture(loop_scope="session")
async def watched(profiles: Profiles) -> AsyncIterator[OpenPage]:
    """Opens pages, each in a browser profile of its own; the test fails when one complains of anything."""
    opened: list[Watched] = []
    async with AsyncExitStack() as stack:

        async def open_one(
            *,
            size: tuple[int, int] = DESKTOP,
            color_scheme: Literal["dark", "light"] = "light",
            moving: bool = False,
            **options: Any,
        ) -> Watched:
            context = await stack.enter_async_context(profiles.one(**options))
            one = Watched(await context.new_page())
            opened.append(one)
            await one.page.set_viewport_size({"width": size[0], "height": size[1]})
            # Drawing traces takes most of a core here: only the tests that are about them ask for all of it.
            await one.page.emulate_media(
                color_scheme=color_scheme, reduced_motion="no-preference" if moving else "reduce"
            )
            return one

        yield open_one
    complaints = [complaint for one in opened for complaint in one.complaints]
    assert not complaints, "the page complains:\n" + "\n".join(complaints)


async def value(page: Page, expression: str) -> Any:
    """The value of an expression in a page as soon as it is true.

    Playwright's own waiting asks for ``eval``, which the page's security policy refuses.
    """
    async with asyncio.timeout(PATIENCE_MS / 1000):
        return await page.evaluate(
            f"new Promise(done => {{ const look = () => {{ const found = {expression}; "
            "found ? done(found) : setTimeout(look, 20) }; look() })"
        )


async def shot(page: Page, name: str, *, whole: bool = False) -> Path:
    """Keep a picture of a page among the artefacts of the tests.

    Parameters
    ----------
    page : as it is now
    name : of the file, without its ending
    whole : what is below the fold, too
    """
    path = ARTEFACTS / f"{name}.png"  # Playwright makes the folder
    if whole:
        await page.evaluate("scrollTo(0, 0)")  # what stays at the window's edge is drawn where the window is
    await page.screenshot(path=path, full_page=whole, animations="disabled")
    return path


_INKED = """(canvas, least) => new Promise(done => {
  const look = () => {
    const { width, height } = canvas;
    const pixels = width && height
      ? new Uint32Array(canvas.getContext("2d").getImageData(0, 0, width, height).data.buffer)
      : new Uint32Array(1);
    pixels.reduce((sum, pixel) => sum + (pixel !== pixels[0]), 0) >= least ? done() : setTimeout(look, 50);
  };
  look();
})"""


async def drawn(canvas: Locator) -> None:
    """Return once something is drawn on a canvas."""
    async with asyncio.timeout(PATIENCE_MS / 1000):
        await canvas.evaluate(_INKED, LEAST_INK)


async def violations(page: Page) -> list[str]:
    """Return what axe-core finds of WCAG 2.2 AA on a page that is serious or critical, each with where it is.

    Parameters
    ----------
    page : as it is now
    """
    found = await Axe().run(page, options={"runOnly": {"type": "tag", "values": list(WCAG)}})
    return [
        f"{violation['impact']} {violation['id']}: {violation['help']}: {node['target']} {node['html'][:200]}"
        for violation in found.response["violations"]
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]


async def fits(page: Page) -> bool:
    """Return whether a page is no wider than the screen."""
    return bool(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"))
