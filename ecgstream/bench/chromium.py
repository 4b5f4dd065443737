"""The browser of this machine, driven by Playwright: for measuring the page, and for its tests."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ecg.errors import EcgStreamError

if TYPE_CHECKING:
    from playwright.async_api import Browser

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


class NoBrowserError(EcgStreamError):
    """No browser that could be driven."""


def program() -> str | None:
    """Return where Chromium is; None where there is none."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


@asynccontextmanager
async def chromium() -> AsyncIterator["Browser"]:
    """A headless Chromium.

    Raises
    ------
    NoBrowserError : when Playwright or Chromium is not installed
    """
    try:
        from playwright.async_api import async_playwright
    except ImportError as error:
        raise NoBrowserError("this needs Playwright, which is no part of ecgstream: pip install playwright") from error
    path = program()
    if path is None:
        raise NoBrowserError(f"none of {', '.join(PROGRAMS)} is here: install one, on Debian 'apt install chromium'")
    # Chromium's sandbox refuses to work for root, as which containers run.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            await browser.close()
