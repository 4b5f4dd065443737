// A stretch of ECG as SVG: on paper, true to scale on the screen, or as a small trace in a list.

import { svg } from "./dom.js";
import { clockTime } from "./format.js";

const PX_PER_MM = 96 / 25.4; // CSS's own millimetre
const MM_PER_S = 25;
const MM_PER_MV = 10;
const LANE_MM = { least: 20, most: 45, room: 4 };
const FOOT_MM = 6;
export const SCALE = "25 mm/s, 10 mm/mV";
let made = 0; // patterns need ids that are theirs alone

/** Millivolts of one lead of `{samples, gain, baseline}`; NaN where no sample was taken. */
export function millivolts(strip, lead) {
  const { gain, baseline } = strip;
  return strip.samples.map((row) =>
    row[lead] === null ? NaN : (row[lead] - baseline[lead]) / gain[lead],
  );
}

/** A path over values; a new piece begins behind a gap. `x` and `y` turn places and values into px. */
function path(values, x, y) {
  let line = "";
  let drawing = false;
  values.forEach((value, at) => {
    if (Number.isNaN(value)) {
      drawing = false;
      return;
    }
    line += `${drawing ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    drawing = true;
  });
  return line;
}

function extremes(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : [0, 0];
}

/** The first lead, small: what it looks like, not how large. */
export function miniature(strip, { width = 160, height = 36 } = {}) {
  const values = millivolts(strip, 0);
  const [low, high] = extremes(values);
  const span = Math.max(high - low, 0.5);
  const x = (at) => (at / Math.max(values.length - 1, 1)) * width;
  const y = (value) => 2 + ((high - value) / span) * (height - 4);
  return svg(
    "svg",
    { class: "miniature", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("path", { d: path(values, x, y), "vector-effect": "non-scaling-stroke" }),
  );
}

/**
 * A strip on paper: 25 mm/s and 10 mm/mV in CSS millimetres, one lane a lead.
 *
 * `strip` is `{start_ms, fs_hz, leads, gain, baseline, samples}` with samples as rows; `description` names it for screen
 * readers; `marks` are `[{ms, text, cls}]`, drawn above the first lead (beats); `shades` are
 * `[{from_ms, to_ms, cls}]`; `line_ms` is a moment that is marked (an onset); `time` writes a time below.
 */
export function paper(strip, { description, marks = [], shades = [], line_ms: moment = null, time = clockTime } = {}) {
  const seconds = strip.samples.length / strip.fs_hz;
  const mm = PX_PER_MM;
  const width = seconds * MM_PER_S * mm;
  const lanes = strip.leads.map((_, lead) => lane(millivolts(strip, lead)));
  const headMm = marks.length ? 5 : 1;
  const height = (headMm + lanes.reduce((sum, each) => sum + each.mm, 0) + FOOT_MM) * mm;
  const x = (ms) => ((ms - strip.start_ms) / 1000) * MM_PER_S * mm;
  const id = `paper-${++made}`;
  const drawn = svg("svg", {
    class: "paper-strip",
    width: width.toFixed(0),
    height: height.toFixed(0),
    viewBox: `0 0 ${width.toFixed(1)} ${height.toFixed(1)}`,
    role: "img",
    "aria-label": description,
  });
  drawn.append(grid(id), svg("rect", { class: "paper-ground", width, height }));
  for (const each of shades) {
    const from = Math.max(0, x(each.from_ms));
    const to = Math.min(width, x(each.to_ms));
    if (to > from) drawn.append(svg("rect", { class: `shade ${each.cls ?? ""}`, x: from, y: 0, width: to - from, height }));
  }
  drawn.append(svg("rect", { width, height: height - FOOT_MM * mm, fill: `url(#${id}-coarse)` }));
  if (moment !== null && x(moment) >= 0 && x(moment) <= width) {
    drawn.append(svg("line", { class: "moment", x1: x(moment), x2: x(moment), y1: 0, y2: height - FOOT_MM * mm }));
  }
  let top = headMm;
  lanes.forEach((each, lead) => {
    const zero = (top + each.zeroMm) * mm;
    const y = (value) => zero - value * MM_PER_MV * mm;
    const line = path(each.values, (at) => (at / strip.fs_hz) * MM_PER_S * mm, y);
    drawn.append(svg("path", { class: "trace", d: line }));
    drawn.append(svg("text", { class: "lead", x: 6, y: (top + 4) * mm }, strip.leads[lead]));
    top += each.mm;
  });
  for (const each of marks) {
    drawn.append(svg("text", { class: `beat beat-${each.cls ?? ""}`, x: x(each.ms), y: 3.8 * mm }, each.text));
  }
  drawn.append(...times(strip, seconds, x, height, time));
  return drawn;
}

function lane(values) {
  const [low, high] = extremes(values);
  const up = Math.max(high * MM_PER_MV, 0) + LANE_MM.room;
  const down = Math.max(-low * MM_PER_MV, 0) + LANE_MM.room;
  const mm = Math.min(Math.max(up + down, LANE_MM.least), LANE_MM.most);
  // What does not fit leaves the lane evenly on both sides, as on a recorder whose gain is too high.
  return { values, mm, zeroMm: up + (mm - up - down) / 2 };
}

function grid(id) {
  const mm = PX_PER_MM;
  const square = (name, size, ...inside) =>
    svg("pattern", { id: `${id}-${name}`, width: size, height: size, patternUnits: "userSpaceOnUse" }, ...inside);
  return svg(
    "defs",
    {},
    square("fine", mm, svg("path", { class: "paper-fine", d: `M${mm} 0H0V${mm}` })),
    square(
      "coarse",
      5 * mm,
      svg("rect", { width: 5 * mm, height: 5 * mm, fill: `url(#${id}-fine)` }),
      svg("path", { class: "paper-coarse", d: `M${5 * mm} 0H0V${5 * mm}` }),
    ),
  );
}

function times(strip, seconds, x, height, time) {
  const found = [];
  const first = Math.ceil(strip.start_ms / 1000) * 1000;
  for (let ms = first; ms <= strip.start_ms + seconds * 1000; ms += 1000) {
    if ((ms / 1000) % 2 !== 0 && seconds > 4) continue;
    const at = x(ms);
    found.push(svg("line", { class: "tick", x1: at, x2: at, y1: height - FOOT_MM * PX_PER_MM, y2: height - 16 }));
    if (at > 24 && at < seconds * MM_PER_S * PX_PER_MM - 28) {
      found.push(svg("text", { class: "time", x: at, y: height - 4 }, time(ms)));
    }
  }
  return found;
}
