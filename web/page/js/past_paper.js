// The paper when it stands still: a look back.

import { drawTick, drawVerdict } from "./marks.js";
import { MISSING } from "./frames.js";
import { middleOf } from "./scale.js";
import { strokeLead } from "./stroke.js";

export class PastPaper {
  leftMs = 0;
  #sheet;
  #samples;
  #verdicts;
  #centred = false;

  constructor(sheet, samples, verdicts) {
    this.#sheet = sheet;
    this.#samples = samples;
    this.#verdicts = verdicts;
  }

  get rightMs() {
    return this.leftMs + this.#sheet.spanMs;
  }

  msAt(x) {
    return this.leftMs + x / this.#sheet.scale.pxPerMs;
  }

  /** Lanes are centred anew with the next samples, as somewhere else the baseline may lie elsewhere. */
  recentre() {
    this.#centred = false;
  }

  /** Draw it all; `nowMs`: up to where the recording has come. Returns the first problem, or null. */
  draw(nowMs, filtered) {
    const sheet = this.#sheet;
    const { leftMs, rightMs } = this;
    const { pxPerMs, pxPerMm } = sheet.scale;
    const blocks = this.#samples.between(leftMs, rightMs, nowMs, false);
    this.#verdicts.want(leftMs, rightMs, nowMs);
    if (!this.#centred) this.#centre(blocks);
    sheet.drawGrid((leftMs * pxPerMs) % (5 * pxPerMm));
    sheet.marks.clearRect(0, 0, sheet.width, sheet.height);
    sheet.trace.setTransform(1, 0, 0, 1, 0, 0);
    sheet.trace.clearRect(0, 0, sheet.traceCanvas.width, sheet.traceCanvas.height);
    const place = {
      x: (ms) => (ms - leftMs) * pxPerMs,
      pieces: (from, to) => [[(Math.max(from, leftMs) - leftMs) * pxPerMs, (Math.min(to, rightMs) - leftMs) * pxPerMs]],
    };
    for (const verdict of this.#verdicts.between(leftMs, rightMs)) {
      const seen = verdict.beats.filter((beat) => beat.ms >= leftMs && beat.ms <= rightMs);
      drawVerdict(sheet, place, { ...verdict, beats: seen });
    }
    for (let second = Math.ceil(leftMs / 1000); second * 1000 < rightMs; second++) {
      drawTick(sheet, place.x(second * 1000), second * 1000);
    }
    this.#traces(blocks, place, { dim: filtered });
    if (filtered) this.#filtered(nowMs, place);
    for (const block of blocks) this.#say(block, place);
    return blocks.find((block) => block.state === "failed")?.problem ?? null;
  }

  #traces(blocks, place, { dim }) {
    const sheet = this.#sheet;
    const { trace: context, density, scale } = sheet;
    context.setTransform(density, 0, 0, density, 0, 0);
    context.lineJoin = "round";
    context.lineWidth = dim ? 1 : 1.5;
    const columns = scale.mmPerS < 10;
    for (const stretch of blocks.flatMap((block) => block.stretches)) {
      stretch.leads.forEach(({ name }, lead) => {
        const lane = sheet.leads.indexOf(name);
        if (lane < 0) return;
        context.strokeStyle = dim ? sheet.colours["ink-dim"] : sheet.colourOf(lane);
        const zero = sheet.zeroPx(lane);
        strokeLead(context, stretch, lead, {
          fromMs: this.leftMs,
          toMs: this.rightMs,
          x: place.x,
          y: (mv) => zero - mv * scale.pxPerMv,
          columns,
        });
      });
    }
  }

  #filtered(nowMs, place) {
    const sheet = this.#sheet;
    const { trace: context, scale } = sheet;
    context.strokeStyle = sheet.colours.filtered;
    context.lineWidth = 1.5;
    const blocks = this.#samples.between(this.leftMs, this.rightMs, nowMs, true);
    for (const stretch of blocks.flatMap((block) => block.stretches)) {
      stretch.leads.forEach(({ name }, lead) => {
        const lane = sheet.leads.indexOf(name);
        if (lane < 0) return;
        const middle = sheet.layout.lanes[lane].middle;
        const y = (mv) => middle - mv * scale.pxPerMv;
        strokeLead(context, stretch, lead, { fromMs: this.leftMs, toMs: this.rightMs, x: place.x, y });
      });
    }
  }

  #say(block, place) {
    const nothing = block.state === "there" && block.stretches.length === 0;
    if (block.state === "there" && !nothing) return;
    if (block.state === "asked" && block.stretches.length) return;
    const { marks, colours, layout, width } = this.#sheet;
    const from = Math.max(0, place.x(block.fromMs));
    const to = Math.min(width, place.x(block.toMs));
    const text = { asked: "Fetching…", failed: "Could not be fetched", there: "Nothing was recorded" }[block.state];
    marks.font = this.#sheet.font(13, 550);
    marks.textAlign = "center";
    marks.textBaseline = "middle";
    marks.fillStyle = colours.quiet;
    if (to - from > 130) marks.fillText(text, (from + to) / 2, (layout.top + layout.foot) / 2);
  }

  #centre(blocks) {
    const sheet = this.#sheet;
    const there = blocks.filter((block) => block.stretches.length);
    if (there.length === 0) return;
    this.#centred = true;
    sheet.centre(
      sheet.leads.map((name) => {
        const values = [];
        for (const { stretches } of there) for (const stretch of stretches) collect(values, stretch, name);
        return middleOf(values);
      }),
    );
  }
}

function collect(values, { leads, values: from, count }, name) {
  const lead = leads.findIndex((each) => each.name === name);
  if (lead < 0) return;
  const { gain, baseline } = leads[lead];
  const step = Math.max(1, Math.floor(count / 1500));
  for (let index = 0; index < count; index += step) {
    const value = from[index * leads.length + lead];
    if (value !== MISSING) values.push((value - baseline) / gain);
  }
}
