"""What docs/devices.md tells people to write works: Python, a browser's JavaScript, curl."""

import asyncio
import re
import shutil
import sys
from pathlib import Path

import pytest

from bus.settings import KafkaSettings
from ecgstream.bench.chromium import NoBrowserError, chromium
from tests.deploy.programs import ROOT
from tests.gateway.serving import TOKENS, Gateway, indexes, serving, stored
from tests.support.waiting import until

pytestmark = pytest.mark.broker
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def example(language: str, gateway: Gateway, *, begins: str = "") -> str:
    """A block of the page, for a gateway of the tests."""
    blocks: list[tuple[str, str]] = BLOCK.findall((ROOT / "docs" / "devices.md").read_text())
    (found,) = (text for kind, text in blocks if kind == language and text.startswith(begins))
    assert len(found.strip().splitlines()) <= 31
    for said, meant in (
        ("127.0.0.1:8010", gateway.address),
        ("ecgs_...", TOKENS["holter"]),
        ("bed-12", "ward-12"),
    ):
        assert said in found
        found = found.replace(said, meant)
    return found


async def run(*command: str, folder: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, said.decode()
    return said.decode()


async def test_the_python_example_stores_ten_seconds(settings: KafkaSettings, tmp_path: Path) -> None:
    async with serving(settings, tmp_path) as gateway:
        said = await run(sys.executable, "-c", example("python", gateway), folder=tmp_path)
    assert "all of it is stored" in said
    assert indexes(await stored(settings), "ward-12") == list(range(2500))


async def test_the_curl_example_stores_a_chunk(settings: KafkaSettings, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not here: scripts/debian.sh brings it on Debian")
    async with serving(settings, tmp_path) as gateway:
        said = await run("sh", "-c", example("sh", gateway, begins="curl"), folder=tmp_path)
    assert '"stored":3' in said
    assert indexes(await stored(settings), "ward-12") == [0, 1, 2]


@pytest.mark.browser
async def test_the_browsers_example_goes_on_over_a_connection_that_broke(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    async with serving(settings, tmp_path) as gateway:
        try:
            async with chromium() as browser:
                page = await browser.new_page()
                await page.add_script_tag(content=example("js", gateway))
                await page.evaluate("[1, 2, 3, 4].forEach(() => send(Array.from({length: 50}, (_, i) => i)))")
                await page.wait_for_function("waiting.length === 0")
                await page.evaluate("socket.close(); send([7, 8])")
                await page.wait_for_function("waiting.length === 0")
        except NoBrowserError as error:
            pytest.skip(str(error))
        await until(lambda: gateway.metric("samples_total") == 202)
    chunks = await stored(settings)
    assert indexes(chunks, "ward-12") == list(range(202))
    assert chunks[-1].samples[:, 0].tolist() == [7, 8]
