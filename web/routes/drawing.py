"""Drawing beside the event loop: two at a time, so that live traces keep their pace."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from web.past.strips import MEDIA_TYPES

P = ParamSpec("P")
T = TypeVar("T")
DRAWN: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {media_type: {} for form, media_type in MEDIA_TYPES.items() if form != "json"},
        "description": "The strip, as numbers or drawn on ECG paper.",
    }
}
_DRAW_POOL = ThreadPoolExecutor(max_workers=2, thread_name_prefix="drawing")


async def in_thread(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Run some work in a thread; the third to come waits."""
    return await asyncio.get_running_loop().run_in_executor(_DRAW_POOL, partial(work, *arguments, **named))
