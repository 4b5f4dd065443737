// A recording's windows in one line: what was decided of each, where the findings lie; a click shows the place.

import { svg } from "./dom.js";
import { place, verdictText } from "./result_text.js";

const WIDTH = 1000;
const ROWS = { windows: [0, 22], findings: [26, 8], rate: [40, 44] };
const HEIGHT = 100;

/** The line of a result; `go(seconds)` is called for the place that was chosen. */
export class Timeline {
  constructor(result, go) {
    this.result = result;
    this.go = go;
    this.here = svg("rect", { class: "here", y: 0, height: HEIGHT - 14, width: 4, x: 0 });
    const abnormal = result.windows.filter((each) => each.decision === "abnormal").length;
    const description = `${result.windows.length} windows from 0:00 to ${place(result.seconds)}, ${abnormal} abnormal. Click to see a place; the buttons below step through them.`;
    this.node = svg(
      "svg",
      { class: "timeline", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": description },
      this.#windows(),
      this.#findings(),
      this.#rate(),
      this.here,
    );
    this.node.addEventListener("click", (event) => {
      const box = this.node.getBoundingClientRect();
      go(((event.clientX - box.left) / box.width) * result.seconds);
    });
  }

  /** Mark what the strip shows. */
  show(from_s, seconds) {
    this.here.setAttribute("x", this.#x(from_s));
    this.here.setAttribute("width", Math.max(this.#x(seconds), 4));
  }

  #x(seconds) {
    return (seconds / this.result.seconds) * WIDTH;
  }

  /** Neighbours that were decided alike are one piece: an hour has 720 windows. */
  #windows() {
    const pieces = [];
    for (const each of this.result.windows) {
      const last = pieces.at(-1);
      if (last && last.decision === each.decision && Math.abs(last.end_s - each.start_s) < 0.01) last.end_s = each.end_s;
      else pieces.push({ ...each });
    }
    const [y, height] = ROWS.windows;
    return pieces.map((each) =>
      svg(
        "rect",
        { class: `piece piece-${each.decision}`, x: this.#x(each.start_s), y, width: Math.max(this.#x(each.end_s - each.start_s), 1), height },
        svg("title", {}, `${place(each.start_s)} to ${place(each.end_s)}: ${verdictText(each.decision)}`),
      ),
    );
  }

  #findings() {
    const [y, height] = ROWS.findings;
    return this.result.findings
      .filter((each) => each.kind !== "abnormal_window")
      .map((each) =>
        svg("rect", {
          class: `found found-${each.priority}`,
          x: this.#x(each.start_s),
          y,
          width: Math.max(this.#x(each.end_s - each.start_s), 3),
          height,
        }),
      );
  }

  #rate() {
    const [top, height] = ROWS.rate;
    const known = this.result.windows.filter((each) => each.heart_rate_bpm !== null);
    if (known.length < 2) return null;
    const rates = known.map((each) => each.heart_rate_bpm);
    const low = Math.min(40, ...rates);
    const high = Math.max(120, ...rates);
    const y = (bpm) => top + ((high - bpm) / (high - low)) * height;
    let line = "";
    let before = null;
    for (const each of known) {
      const joined = before !== null && each.start_s - before.end_s < 0.01;
      line += `${joined ? "L" : "M"}${this.#x((each.start_s + each.end_s) / 2).toFixed(1)} ${y(each.heart_rate_bpm).toFixed(1)}`;
      before = each;
    }
    return svg("path", { class: "rate", d: line, "vector-effect": "non-scaling-stroke" });
  }
}
