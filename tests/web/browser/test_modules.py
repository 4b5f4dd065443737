"""The page's modules that know no document: each is run in the browser, as it is served."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, get_args

import numpy as np
import pytest
import pytest_asyncio
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from playwright.async_api import Browser, Route

from ecg.formats import FORMATS, PICTURE_SUFFIXES
from ecg.records import MISSING
from ecg.urgency import PATIENT_STATES, PRIORITIES, PROMPT, SOUNDING, AlarmState, patient_rank, waits
from web.live.frames import ANEW, HOLE, Frame, encode
from web.live.summary import Place
from web.routes import page
from web.scoring.answers import FormatAnswer, FormatsAnswer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

Run = Callable[..., Awaitable[Any]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def run(chromium: Browser) -> AsyncIterator[Run]:
    """Runs a function of JavaScript, which gets the named modules and then an argument."""
    app = FastAPI()
    app.include_router(page.routes())
    async with AsyncClient(transport=ASGITransport(app), base_url="http://ward.test") as files:

        async def serve(route: Route) -> None:
            path = route.request.url.removeprefix("http://ward.test")
            # Any small file does as the document: the modules alone are wanted.
            answer = await files.get("/assets/icon.svg" if path == "/" else path)
            headers = {"content-type": answer.headers["content-type"]}
            await route.fulfill(status=answer.status_code, body=answer.content, headers=headers)

        opened = await chromium.new_page()
        await opened.route("**/*", serve)
        await opened.goto("http://ward.test/")

        async def run_one(modules: str, function: str, argument: object = None) -> Any:
            imports = ", ".join(f'import("/assets/js/{name}.js")' for name in modules.split())
            call = f"async (argument) => ({function})(...(await Promise.all([{imports}])), argument)"
            return await opened.evaluate(call, argument)

        yield run_one
        await opened.close()


def frame(index: int, values: list[list[int]], *, flags: int = 0, fs_hz: float = 100.0) -> Frame:
    return Frame(
        patient="bed-7",
        flags=flags,
        fs_hz=fs_hz,
        start_ms=1_000_000.0 + index * 1e3 / fs_hz,
        start_index=float(index),
        sent_ms=5.0,
        leads=tuple(("MLII", "V1")[: len(values[0])]),
        gain=(200.0, 100.0)[: len(values[0])],
        baseline=(1024, -3)[: len(values[0])],
        samples=np.array(values, np.int16),
    )


def sent(*frames: Frame) -> str:
    return base64.b64encode(b"".join(map(encode, frames))).decode()


PARSE = "[...frames.parse(Uint8Array.from(atob(message), (c) => c.charCodeAt(0)).buffer)]"


async def test_frames_are_read_as_the_server_writes_them(run: Run) -> None:
    found = await run(
        "frames",
        f"(frames, message) => {PARSE}.map((one) => ({{...one, values: [...one.values]}}))",
        sent(frame(3, [[1, 2], [3, 4], [MISSING, 6]], flags=HOLE), frame(6, [[7]], flags=ANEW)),
    )
    assert [one["values"] for one in found] == [[1, 2, 3, 4, MISSING, 6], [7]]
    assert [(one["hole"], one["anew"]) for one in found] == [(True, False), (False, True)]
    first = found[0]
    assert first["patient"] == "bed-7"
    assert (first["fsHz"], first["startMs"], first["startIndex"], first["sentMs"]) == (100, 1_000_030, 3, 5)
    assert first["leads"] == [
        {"name": "MLII", "gain": 200, "baseline": 1024},
        {"name": "V1", "gain": 100, "baseline": -3},
    ]


@pytest.mark.parametrize("keep", [1, 47, 60, -1])
async def test_a_frame_that_is_cut_off_is_refused(run: Run, keep: int) -> None:
    message = base64.b64encode(encode(frame(0, [[1, 2]] * 9))[:keep]).decode()
    refused = f"""(frames, message) => {{
      try {{ {PARSE}; return null; }} catch (error) {{ return error.name; }}
    }}"""
    assert await run("frames", refused, message) == "RangeError"


RING = f"""(frames, ring, message) => {{
  const one = new ring.Ring(1); // 100 Hz: 128 samples
  const anew = {PARSE}.map((each) => one.put(each));
  const mv = (index) => (Number.isNaN(one.mv(index, 0)) ? null : one.mv(index, 0));
  return {{
    anew, start: one.start, end: one.end, capacity: one.capacity,
    values: Array.from({{ length: one.end - one.start }}, (_, at) => mv(one.start + at)),
    ms: one.msOf(one.end), index: one.indexOf(one.msOf(one.end)),
  }};
}}"""


async def test_ring_keeps_the_newest_and_knows_their_time(run: Run) -> None:
    pieces = [frame(at, [[1024 + 200 * (at + i)] for i in range(10)]) for at in range(0, 150, 10)]
    found = await run("frames ring", RING, sent(*pieces))
    assert found["anew"] == [True] + [False] * 14
    assert (found["start"], found["end"], found["capacity"]) == (150 - 128, 150, 128)
    assert found["values"] == list(range(22, 150))
    assert found["ms"] == 1_001_500
    assert found["index"] == 150


async def test_ring_fills_no_hole(run: Run) -> None:
    found = await run("frames ring", RING, sent(frame(0, [[1224]] * 3), frame(5, [[1424], [MISSING]], flags=HOLE)))
    assert found["values"] == [1, 1, 1, None, None, 2, None]


async def test_ring_begins_anew_with_a_new_stream(run: Run) -> None:
    found = await run("frames ring", RING, sent(frame(900, [[1224]] * 3), frame(0, [[1424]] * 2, flags=ANEW)))
    assert found["anew"] == [True, True]
    assert (found["start"], found["values"]) == (0, [2, 2])


# Chunks of 250 ms come with a delay that differs from chunk to chunk; frames of the screen every 16 ms.
PLAY = """(playout, { delays, pace, screen }) => {
  const one = new playout.Playout();
  const fs = 100;
  let end = 0, worst = 0, back = 0, stalls = 0, jumps = 0, before = 0, age = 0;
  one.begin(0, fs, 0);
  const chunk = 250 / pace; // on the wall
  const arrivals = delays.map((delay, at) => ({ at: (at + 1) * chunk + delay, end: (at + 1) * 25 }));
  arrivals.sort((a, b) => a.at - b.at);
  const settled = 0.5 * arrivals.at(-1).at;
  for (let now = 0; now < arrivals.at(-1).at; now += screen) {
    while (arrivals.length && arrivals[0].at <= now) {
      const { at, end: to } = arrivals.shift();
      if (to > end) one.arrived((end = to), fs, at);
    }
    jumps += one.step(now);
    back = Math.min(back, one.head - before);
    if (now > settled) {
      stalls += one.head === before;
      age = Math.max(age, now * pace - (one.head * 1000) / fs - 250);
    }
    before = one.head;
  }
  return { back, stalls, jumps, age, margin: one.marginMs, pace: one.pace };
}"""


@pytest.mark.parametrize(("jitter", "most_ms"), [(5, 130), (60, 300)])
async def test_a_trace_scrolls_evenly_and_little_late(run: Run, jitter: int, most_ms: int) -> None:
    delays = [float(delay) for delay in np.random.default_rng(7).integers(0, jitter, 400)]
    found = await run("playout", PLAY, {"delays": delays, "pace": 1, "screen": 16})
    assert found["back"] == 0
    assert found["jumps"] == 0
    assert found["stalls"] <= 12  # of three thousand frames
    assert found["age"] < most_ms
    assert found["pace"] == pytest.approx(1, abs=0.03)


async def test_a_recording_played_faster_is_followed(run: Run) -> None:
    found = await run("playout", PLAY, {"delays": [3.0] * 2000, "pace": 8, "screen": 16})
    assert found["pace"] == pytest.approx(8, rel=0.05)
    assert found["jumps"] <= 1
    assert found["age"] < 8 * 300


async def test_after_a_pause_of_the_device_the_pace_is_what_it_was(run: Run) -> None:
    function = """(playout) => {
      const one = new playout.Playout();
      one.begin(0, 100, 0);
      for (let at = 1; at <= 40; at++) one.arrived(at * 25, 100, at * 250);
      one.arrived(41 * 25, 100, 60_000); // nothing for fifty seconds, and the device's clock stood still
      const paused = one.pace;
      for (let at = 1; at <= 40; at++) one.arrived((41 + at) * 25, 100, 60_000 + at * 250);
      return [paused, one.pace];
    }"""
    paused, later = await run("playout", function)
    assert paused > 0.6
    assert later > 0.85


async def test_a_patient_of_whom_nothing_comes_is_quiet(run: Run) -> None:
    function = f"""(frames, live, message) => {{
      const one = new live.LiveTrace(2, 0);
      const [past, now] = {PARSE};
      past.sentMs = 0;
      const quiet = [one.quiet(1000), one.quiet(6000)];
      one.put(past, 7000); // a look back tells nothing of now
      quiet.push(one.quiet(7001));
      one.put(now, 8000);
      return [...quiet, one.quiet(8001), one.quiet(13_100)];
    }}"""
    message = sent(frame(0, [[1024]] * 25), frame(25, [[1024]] * 25))
    assert await run("frames live_trace", function, message) == [False, True, True, False, True]


async def test_after_a_pause_of_the_page_the_trace_jumps_to_now(run: Run) -> None:
    function = """(playout) => {
      const one = new playout.Playout();
      one.begin(0, 100, 0);
      for (let at = 1; at <= 40; at++) one.arrived(at * 25, 100, 10_000); // all at once, as the page wakes
      return { jumped: one.step(10_000), behind: 1000 - one.head };
    }"""
    found = await run("playout", function)
    assert found["jumped"] is True
    assert 0 < found["behind"] < 40


SWEEP = """(sweep, ring, frames, { message, heads, width }) => {
  const canvas = document.createElementNS("http://www.w3.org/1999/xhtml", "canvas");
  const erased = [];
  const one = new sweep.Sweep(canvas, (x, wide) => erased.push([x, wide]));
  const samples = new ring.Ring(20);
  const bytes = Uint8Array.from(atob(message), (c) => c.charCodeAt(0));
  for (const each of frames.parse(bytes.buffer)) samples.put(each);
  const lanes = [{ lead: 0, zeroPx: 20, pxPerMv: 10, colour: "#000" }];
  one.layout({ width, height: 40, density: 1, pxPerSample: 0.5, lanes });
  const anew = heads.map((head) => one.draw(samples, head));
  const drawn = canvas.getContext("2d").getImageData(0, 0, width, 40).data;
  const columns = Array.from({ length: width }, (_, x) => {
    for (let y = 0; y < 40; y++) if (drawn[4 * (y * width + x) + 3]) return true;
    return false;
  });
  return { anew, erased, columns, xs: heads.map((head) => one.x(head)), turns: heads.map((head) => one.turn(head)) };
}"""


async def test_sweep_comes_round_and_erases_ahead_of_itself(run: Run) -> None:
    message = sent(frame(0, [[1024]] * 1000))
    # 100 px of half a pixel a sample: 200 samples a turn
    found = await run("sweep ring frames", SWEEP, {"message": message, "heads": [50, 120, 190, 240], "width": 100})
    assert found["anew"] == [True, False, False, False]
    assert found["xs"] == [25, 60, 95, 20]
    assert found["turns"] == [0, 0, 0, 1]
    columns = found["columns"]
    assert all(columns[:19])  # drawn in this turn
    assert not any(columns[23:32])  # the gap
    assert all(columns[38:98])  # of the turn before


async def test_sweep_draws_all_anew_when_it_is_far_behind(run: Run) -> None:
    message = sent(frame(0, [[1024]] * 1000))
    found = await run("sweep ring frames", SWEEP, {"message": message, "heads": [50, 900], "width": 100})
    assert found["anew"] == [True, True]
    assert sum(found["columns"]) > 80


async def test_sweep_leaves_holes_open(run: Run) -> None:
    message = sent(frame(0, [[1024]] * 60), frame(100, [[1024]] * 60, flags=HOLE))
    found = await run("sweep ring frames", SWEEP, {"message": message, "heads": [159], "width": 100})
    assert not any(found["columns"][32:48])
    assert all(found["columns"][51:78])


async def test_paper_has_true_millimetres(run: Run) -> None:
    function = """(scale) => {
      const usual = new scale.Scale();
      const own = usual.with({ mmPerS: 50, mmPerMv: 20, pxPerMm: 4 });
      return {
        inch: usual.pxPerMm * 25.4, second: usual.pxPerMs * 1000 / usual.pxPerMm, mv: usual.pxPerMv / usual.pxPerMm,
        own: [own.pxPerMs * 1000, own.pxPerMv],
        steps: [usual.faster(1).mmPerS, usual.faster(9).mmPerS, usual.faster(-9).mmPerS, usual.higher(-1).mmPerMv],
        lanes: usual.lanes(2, 400).lanes.map(({ top, bottom }) => (bottom - top) / usual.pxPerMm),
      };
    }"""
    found = await run("scale", function)
    assert found["inch"] == pytest.approx(96)
    assert found["second"] == pytest.approx(25)
    assert found["mv"] == pytest.approx(10)
    assert found["own"] == [200, 80]
    assert found["steps"] == [50, 50, 6.25, 5]
    assert all(mm == pytest.approx(round(mm / 5) * 5) for mm in found["lanes"])


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        # 25 mm/s and 4 px/mm: 100 px are a second; 10 mm/mV: 40 px are 1 mV
        ((0, 100), (80, 60), [["ms", "800"], ["/min", "75"], ["mV", "1.00"]]),
        ((80, 60), (0, 100), [["ms", "800"], ["/min", "75"], ["mV", "1.00"]]),
        ((0, 60), (80, 100), [["ms", "800"], ["/min", "75"], ["mV", "\N{MINUS SIGN}1.00"]]),
        ((5, 5), (5, 5), [["ms", "0"], ["/min", "\N{EN DASH}"], ["mV", "0.00"]]),
    ],
)
async def test_calipers_measure(
    run: Run, one: tuple[int, int], other: tuple[int, int], expected: list[list[str]]
) -> None:
    function = """(measuring, scale, [one, other]) => measuring.measured(
      measuring.between({ x: one[0], y: one[1] }, { x: other[0], y: other[1] }, new scale.Scale({ pxPerMm: 4 })))"""
    assert await run("measuring scale", function, [one, other]) == expected


ALARMS = """(alarms, steps) => {
  const open = new alarms.OpenAlarms();
  const base = { patient: "bed-7", rank: 6, state: "active", onset_ns: 1 };
  return steps.map((step) => {
    if (Array.isArray(step)) open.putAll(step.map((each) => ({ ...base, ...each })));
    else open.put({ ...base, ...step });
    return open.list().map((alarm) => alarm.id).join(" ");
  });
}"""


async def test_alarms_come_in_any_order(run: Run) -> None:
    steps: list[object] = [
        {"id": "a", "sequence": 1},
        {"id": "b", "sequence": 0, "rank": 0},
        {"id": "b", "sequence": 2, "rank": 12, "state": "acknowledged"},
        {"id": "b", "sequence": 1, "rank": 0, "state": "active"},  # late: it is known better
        {"id": "a", "sequence": 2, "state": "inactive"},
        {"id": "a", "sequence": 1},  # late: it has ended
        [{"id": "c", "sequence": 0}],  # the whole list, after a break: b has ended meanwhile
    ]
    assert await run("alarms", ALARMS, steps) == ["a", "b a", "a b", "a b", "b", "b", "c"]


async def test_ward_is_sorted_by_the_rank_and_names_as_people_count(run: Run) -> None:
    summaries: list[dict[str, Any]] = []
    for at, state in enumerate(reversed(PATIENT_STATES)):
        for acknowledged in (True, False):
            for name in (f"bed-{10 * at + 10}", f"bed-{10 * at + 9}"):
                patient = name + "-seen" * acknowledged
                rank = patient_rank(state, acknowledged=acknowledged)
                summaries.append({"patient": patient, "state": state, "rank": rank})
    order, counts = await run("order", "(order, list) => [order.byUrgency(list), order.counts(list)]", summaries)
    assert order == [place.patient for place in sorted(Place.of(one["patient"], one["rank"]) for one in summaries)]
    assert order[:4] == ["bed-69", "bed-70", "bed-69-seen", "bed-70-seen"], "as people count"
    assert counts == [[state, 4] for state in PATIENT_STATES], "the most urgent first"


async def test_priorities_and_states_are_the_servers(run: Run) -> None:
    assert await run("order", "(order) => order.PRIORITIES") == list(PRIORITIES)
    assert await run("order", "(order) => order.SOUNDING") == list(SOUNDING)
    assert set(await run("order", "(order) => [...order.PROMPT]")) == PROMPT
    every = [{"priority": one, "state": state} for one in PRIORITIES for state in get_args(AlarmState)]
    waiting = await run("alarm_text", "(text, alarms) => alarms.map(text.waits)", every)
    assert waiting == [waits(each["priority"], each["state"]) for each in every], "what asks for an answer"
    wordless = "(format, states) => states.filter((state) => format.stateText(state) === state)"
    assert await run("format", wordless, list(PATIENT_STATES)) == []
    assert set(await run("alarm_text", "(text) => Object.keys(text.STATES)")) == set(get_args(AlarmState))
    drawn = """(icons, states) => states.map((state) => icons.icon(state).querySelector("path").getAttribute("d"))"""
    assert len(set(await run("icons", drawn, list(PATIENT_STATES)))) == len(PATIENT_STATES), "each has its own shape"


async def test_trends_know_the_events_before_and_after(run: Run) -> None:
    function = """(data) => {
      const one = new data.TrendData();
      one.putAll({
        t_ns: [0, 5e9], heart_rate_bpm: [70, null], fused: [0.1, 0.9], cnn: [0.2, null], autoencoder: [0.3, 0.8],
        decision: ["normal", "abnormal"],
      });
      one.put({ startMs: 10_000, heartRate: 88, fused: 0.2, decision: "normal" });
      one.put({ startMs: 10_000, heartRate: 1, fused: 0.2, decision: "normal" }); // twice
      one.putEvents([{ t_ns: 9e9, end_ns: null, label: "b" }, { t_ns: 5e9, end_ns: 6e9, label: "a" }]);
      const asked = [[5000, 1], [5000, -1], [7000, 1], [7000, -1], [9100, 1]];
      const names = asked.map(([ms, way]) => one.event(ms, way)?.label ?? null);
      return [names, one.points.length, one.describe()];
    }"""
    names, points, text = await run("trend_data", function)
    assert names == ["b", None, "b", "a", None]
    assert points == 3
    assert text == "Heart rate within the last hour from 70 to 88; 1 of 3 windows abnormal"


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-11-21T17:30:00.250Z", 1_795_282_200_250),
        ("1795282200250000000", 1_795_282_200_250),
        ("1795282200250", 1_795_282_200_250),
        ("yesterday", None),
        ("", None),
    ],
)
async def test_a_moment_stands_in_the_address_in_any_form(run: Run, text: str, ms: int | None) -> None:
    assert await run("format", "(format, text) => format.parseTime(text)", text) == ms


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", ["ward", {}]),
        ("/patients/bed%2B7", ["patient", {"patient": "bed+7"}]),
        ("/patients/%E0%A4%A", ["missing", {}]),
        ("/recordings/abc", ["recording", {"recording": "abc"}]),
        ("/alarms/", ["missing", {}]),
        ("/signin", ["signin", {}]),
    ],
)
async def test_addresses_lead_to_their_views(run: Run, path: str, route: list[object]) -> None:
    function = """(routes, path) => { const found = routes.match(path, "?t=1"); return [found.name, found.params]; }"""
    assert await run("routes", function, path) == route


async def test_every_address_that_the_page_knows_is_served(run: Run) -> None:
    function = """(routes, paths) => paths.map((path) => routes.match(path).name)"""
    names = await run("routes", function, [path.replace("{", "").replace("}", "") for path in page.ADDRESSES])
    assert "missing" not in names
    assert len(set(names)) == len(page.ADDRESSES)


async def test_waits_between_tries_grow_to_a_limit(run: Run) -> None:
    function = """(backoff) => {
      const one = new backoff.Backoff();
      const waits = Array.from({ length: 9 }, () => one.next(1));
      one.reset();
      return [waits, one.next(0)];
    }"""
    waits, again = await run("backoff", function)
    assert waits == [500, 1000, 2000, 4000, 8000, 15000, 15000, 15000, 15000]
    assert again == 250


async def test_a_slow_machine_draws_in_bands_and_a_fast_one_in_one(run: Run) -> None:
    function = """(bands, intervals) => {
      const one = new bands.Bands();
      const drawn = new Array(12).fill(0);
      let before = 0;
      for (const [interval, frames] of intervals) {
        for (let at = 0; at < frames; at++) {
          one.next(interval);
          for (let place = 0; place < 12; place++) drawn[place] += one.has(place, 12);
        }
        before = one.count;
      }
      return [before, Math.min(...drawn) > 0];
    }"""
    assert await run("bands", function, [[16, 200]]) == [1, True]
    assert await run("bands", function, [[60, 200]]) == [4, True]
    assert await run("bands", function, [[60, 200], [16, 5000]]) == [1, True]


async def test_who_wants_less_motion_gets_few_frames(run: Run) -> None:
    function = """(loop) => {
      const given = { setTimeout, requestAnimationFrame };
      const rests = [], asked = { frames: 0 };
      let drawn = 0;
      globalThis.requestAnimationFrame = (act) => { asked.act = act; asked.frames++; return 1; };
      globalThis.setTimeout = (act, ms) => { rests.push(ms); asked.then = act; return 1; };
      const motion = { matches: false };
      const end = new loop.Loop(motion).add(() => drawn++);
      asked.act(16);
      const before = { frames: asked.frames, rests: rests.length };
      motion.matches = true;
      asked.act(33);
      const resting = { frames: asked.frames, rests: [...rests] };
      asked.then();
      end();
      Object.assign(globalThis, given);
      return { drawn, before, resting, frames: asked.frames };
    }"""
    expected = await run("loop", function)
    assert expected["drawn"] == 2
    assert expected["before"] == {"frames": 2, "rests": 0}, "each frame of the screen"
    (rest_ms,) = expected["resting"]["rests"]
    assert rest_ms > 200
    assert (expected["resting"]["frames"], expected["frames"]) == (2, 3), "the next one is asked for after the rest"


async def test_no_line_leads_back_where_a_sweep_comes_round(run: Run) -> None:
    drawn = await run(
        "stroke",
        """(stroke) => {
            const moves = [];
            const context = {
                beginPath() {},
                stroke() {},
                moveTo: (x) => moves.push(["move", x]),
                lineTo: (x) => moves.push(["line", x]),
            };
            const leads = [{ name: "II", gain: 200, baseline: 0 }];
            const stretch = { startMs: 0, fsHz: 100, leads, count: 6, values: new Int16Array(6) };
            stroke.strokeLead(context, stretch, 0, { fromMs: 0, toMs: 50, x: (ms) => ms % 30, y: (mv) => mv });
            return moves;
        }""",
    )
    assert drawn == [["move", 0], ["line", 10], ["line", 20], ["move", 0], ["line", 10], ["line", 20]]


async def test_chosen_files_are_put_together_as_the_servers_formats_say(run: Run) -> None:
    formats = [FormatAnswer.model_validate(form, from_attributes=True) for form in FORMATS]
    known = FormatsAnswer(
        formats=formats, archives=[".zip"], pictures=list(PICTURE_SUFFIXES), beats=[".npy", ".json"]
    ).model_dump(mode="json")
    names = ["a.hea", "a.dat", "a.atr", "b.dat", "c.hea", "d.EDF", "e.npy", "f.zip", "g.json", "h.JPG", "i.doc"]
    names += ["k.mat", "k.hea", "l.mat"]
    function = """(chosen, [names, known]) => {
      const files = names.map((name) => ({ name, size: 1 }));
      return {
        found: chosen.recordings(files, known).map(({ name, files, problem }) => [name, files.length, problem]),
        says: files.filter((file) => chosen.mayNotSay([file], known)).map((file) => file.name),
        beats: files.filter((file) => chosen.mayBeBeats([file], known)).map((file) => file.name),
        accepted: chosen.accepted(known),
        kinds: chosen.kindsText(known),
      };
    }"""
    expected = await run("chosen_files", function, [names, known])
    text = (
        "WFDB (.hea with .dat), EDF (.edf), BDF (.bdf), DICOM (.dcm), HL7 aECG (.xml), ISHNE (.ecg), MATLAB (.mat), "
        "CSV (.csv), NumPy (.npy), pictures of paper ECGs (.png, .jpg, .jpeg, .pdf), or a .zip of them"
    )
    assert expected["found"] == [
        ["a", 3, None],
        ["b", 1, "b.dat needs its header: add b.hea"],
        ["c", 1, "c.hea needs its samples: add c.dat"],
        ["d.EDF", 1, None],
        ["e.npy", 1, None],
        ["f.zip", 1, None],
        ["g.json", 1, None],
        ["h.JPG", 1, None],
        ["i.doc", 1, f"i.doc is not of a kind that is read: {text}"],
        ["k", 2, None],
        ["l.mat", 1, None],
    ]
    assert (expected["says"], expected["beats"]) == (["e.npy", "k.mat", "l.mat"], ["e.npy", "g.json"])
    assert expected["accepted"] == (
        ".hea,.dat,.atr,.edf,.rec,.bdf,.dcm,.dicom,.xml,.ecg,.ishne,.mat,.csv,.tsv,.txt,.npy,.zip,"
        ".png,.jpg,.jpeg,.pdf,.tif,.tiff,.heic,.heif,.webp,.bmp,.gif,.json"
    )
    assert expected["kinds"] == text
