// The paper while the trace sweeps over it: marks follow when their window has been judged.

import { drawTick, drawVerdict } from "./marks.js";
import { middleOf } from "./scale.js";
import { strokeLead } from "./stroke.js";
import { Sweep } from "./sweep.js";

const MIDDLE_S = 6; // of which the lanes' middle is found

export class LivePaper {
  #sheet;
  #trace;
  #verdicts;
  #sweep;
  #waiting = []; // verdicts that the head has not reached the end of
  #second = NaN; // the last that has its tick
  #turn = NaN;
  #dim = false;
  #place;

  constructor(sheet, trace, verdicts) {
    this.#sheet = sheet;
    this.#trace = trace;
    this.#verdicts = verdicts;
    this.#sweep = new Sweep(sheet.traceCanvas, (x, width) => sheet.marks.clearRect(x, 0, width, sheet.height));
    this.#place = { x: (ms) => this.#x(ms), pieces: (from, to) => this.#pieces(from, to) };
  }

  /** Lay everything out on the sheet as it is now; dimmed, where the signal that the detector sees lies over it. */
  begin({ dim = this.#dim } = {}) {
    const { ring } = this.#trace;
    const sheet = this.#sheet;
    this.#dim = dim;
    sheet.drawGrid();
    if (ring.fsHz === 0) return;
    if (sheet.centre(this.#middles())) sheet.drawGrid();
    this.#sweep.layout({
      width: sheet.width,
      height: sheet.height,
      density: sheet.density,
      pxPerSample: (sheet.scale.pxPerMs * 1000) / ring.fsHz,
      lanes: sheet.leads.map((_, lane) => ({
        lead: lane,
        zeroPx: sheet.zeroPx(lane),
        pxPerMv: sheet.scale.pxPerMv,
        colour: dim ? sheet.colours["ink-dim"] : sheet.colourOf(lane),
      })),
    });
    this.#turn = this.#sweep.turn(this.#trace.head);
  }

  /** Draw what is new; the head has been moved already. */
  draw() {
    const trace = this.#trace;
    const { ring, head, headMs } = trace;
    if (ring.fsHz === 0) return;
    const turn = this.#sweep.turn(head);
    if (turn !== this.#turn && this.#sheet.centre(this.#middles())) this.begin();
    this.#turn = turn;
    if (trace.jumped) this.#sweep.forget();
    trace.jumped = false;
    if (this.#sweep.draw(ring, head)) this.#marksAnew(headMs);
    else this.#marksOn(headMs);
  }

  /** A verdict has come. */
  put(verdict) {
    this.#waiting.push(verdict);
  }

  /** A stretch of the signal as the detector sees it has come. */
  putFiltered(stretch) {
    const { trace: context, scale, colours, density } = this.#sheet;
    const from = Math.max(stretch.startMs, this.#oldestMs());
    const to = Math.min(stretch.startMs + (stretch.count * 1000) / stretch.fsHz, this.#trace.headMs);
    context.setTransform(density, 0, 0, density, 0, 0);
    context.strokeStyle = colours.filtered;
    context.lineWidth = 1.3;
    context.lineJoin = "round";
    const cut = this.#turnMs(to);
    for (const [begin, end] of cut > from ? [[from, cut], [cut, to]] : [[from, to]]) {
      stretch.leads.forEach(({ name }, lead) => {
        const lane = this.#sheet.leads.indexOf(name);
        if (lane < 0) return;
        // Its middle is 0 mV: it lies on the middle of the lane.
        const zero = this.#sheet.layout.lanes[lane].middle;
        // One sample before the turn would be drawn at the other edge.
        strokeLead(context, stretch, lead, {
          fromMs: begin,
          toMs: end - 1000 / stretch.fsHz,
          x: (ms) => this.#x(ms),
          y: (mv) => zero - mv * scale.pxPerMv,
        });
      });
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
  }

  #x(ms) {
    return this.#sweep.x(this.#trace.ring.indexOf(ms));
  }

  #oldestMs() {
    return this.#trace.ring.msOf(this.#sweep.oldest(this.#trace.head));
  }

  /** When the trace came round last, before a moment. */
  #turnMs(ms) {
    const { ring } = this.#trace;
    return ring.msOf(Math.ceil(this.#sweep.turn(ring.indexOf(ms)) * this.#sweep.span));
  }

  #pieces(fromMs, toMs) {
    const { headMs } = this.#trace;
    const from = Math.max(fromMs, this.#oldestMs());
    const to = Math.min(toMs, headMs);
    if (from >= to) return [];
    const cut = this.#turnMs(to);
    if (cut <= from) return [[this.#x(from), this.#x(to)]];
    return [
      [this.#x(from), this.#sheet.width],
      [0, this.#x(to)],
    ];
  }

  #marksAnew(headMs) {
    const oldest = this.#oldestMs();
    this.#waiting = [];
    for (const verdict of this.#verdicts.between(oldest, headMs)) {
      if (verdict.endMs <= headMs) drawVerdict(this.#sheet, this.#place, verdict);
      else this.#waiting.push(verdict);
    }
    this.#second = Math.ceil(oldest / 1000) - 1;
    this.#ticks(headMs);
  }

  #marksOn(headMs) {
    this.#ticks(headMs);
    if (this.#waiting.length === 0) return;
    const due = this.#waiting.filter((verdict) => verdict.endMs <= headMs);
    if (due.length === 0) return;
    this.#waiting = this.#waiting.filter((verdict) => verdict.endMs > headMs);
    for (const verdict of due) drawVerdict(this.#sheet, this.#place, verdict);
  }

  #ticks(headMs) {
    while ((this.#second + 1) * 1000 <= headMs) {
      this.#second++;
      drawTick(this.#sheet, this.#x(this.#second * 1000), this.#second * 1000);
    }
  }

  #middles() {
    const { ring } = this.#trace;
    const from = Math.max(ring.start, ring.end - Math.round(MIDDLE_S * ring.fsHz));
    return ring.leads.map((_, lead) => {
      const values = [];
      for (let index = from; index < ring.end; index += 2) values.push(ring.mv(index, lead));
      return middleOf(values);
    });
  }
}
