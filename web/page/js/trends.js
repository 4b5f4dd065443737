// Heart rate and score over the last hour: what is on the paper is framed, a click shows another moment.

import { h, mark } from "./dom.js";
import { clockTime } from "./format.js";
import { HOUR_MS } from "./trend_data.js";
import { colours } from "./theme.js";

const HEIGHT = 148;
const LEFT = 34; // for the numbers
const RATES = { top: 14, bottom: 78 };
const SCORES = { top: 90, bottom: 124 };
const NETWORKS = [
  ["cnn", "accent"],
  ["autoencoder", "text"],
];
const STEP_MS = 60_000;
const SPAN_STEP_MS = 300_000;
const NAMES = ["trace", "quiet", "line", "text", "accent", "high", "medium", "low", "information", "shade-edge", "surface"];

export class Trends {
  #canvas;
  #context;
  #colours;
  #frame = null; // {fromMs, toMs} on the paper
  #toMs = 0;
  #spanMs = HOUR_MS;
  #width = 0;

  /** `jump(ms)` is called when somebody chooses a moment. */
  constructor(data, jump) {
    this.data = data;
    this.jump = jump;
    this.#canvas = h("canvas", { "aria-hidden": "true" });
    this.#context = this.#canvas.getContext("2d");
    this.node = h(
      "div",
      { class: "trends", role: "slider", tabindex: "0", "aria-label": "The last hour", "data-own-keys": true },
      this.#canvas,
    );
    this.node.addEventListener("pointerdown", (event) => this.#pointed(event));
    this.node.addEventListener("keydown", (event) => this.#key(event));
    this.recolour();
  }

  recolour() {
    this.#colours = colours(...NAMES);
  }

  resize(width) {
    this.#width = Math.floor(width);
    const density = Math.min(devicePixelRatio, 2);
    this.#canvas.width = this.#width * density;
    this.#canvas.height = HEIGHT * density;
    this.#canvas.style.height = `${HEIGHT}px`;
    this.#context.setTransform(density, 0, 0, density, 0, 0);
  }

  /** Draw it up to `toMs`, with what is on the paper. */
  draw(toMs, frame) {
    if (this.#width === 0 || !Number.isFinite(toMs)) return;
    this.#toMs = toMs;
    this.#frame = frame;
    const oldest = this.data.points[0]?.ms ?? toMs;
    // What has been recorded fills the width, in steps: a scale that creeps cannot be read.
    const coveredMs = toMs - Math.min(oldest, frame.fromMs);
    this.#spanMs = Math.min(Math.ceil(coveredMs / SPAN_STEP_MS) * SPAN_STEP_MS, HOUR_MS);
    const context = this.#context;
    context.clearRect(0, 0, this.#width, HEIGHT);
    this.#axes();
    this.#events();
    this.#rates();
    this.#scores();
    this.#paper();
    mark(this.node, "aria-valuemin", String(Math.round((toMs - this.#spanMs) / 1000)));
    mark(this.node, "aria-valuemax", String(Math.round(toMs / 1000)));
    mark(this.node, "aria-valuenow", String(Math.round(frame.fromMs / 1000)));
    mark(this.node, "aria-valuetext", `${clockTime(frame.fromMs)}. ${this.data.describe()}`);
  }

  #x(ms) {
    return LEFT + ((ms - this.#toMs + this.#spanMs) / this.#spanMs) * (this.#width - LEFT - 6);
  }

  #ms(x) {
    return this.#toMs - this.#spanMs + ((x - LEFT) / (this.#width - LEFT - 6)) * this.#spanMs;
  }

  #range() {
    const rates = this.data.rates() ?? { low: 50, high: 110 };
    return { low: Math.floor(Math.min(rates.low, 50) / 20) * 20, high: Math.ceil(Math.max(rates.high, 110) / 20) * 20 };
  }

  #axes() {
    const context = this.#context;
    const { low, high } = this.#range();
    context.font = '500 11px "Segoe UI", Roboto, "Noto Sans", sans-serif';
    context.textBaseline = "middle";
    context.textAlign = "right";
    context.fillStyle = this.#colours.quiet;
    const line = (y, text) => {
      context.fillStyle = this.#colours.line;
      context.fillRect(LEFT, Math.round(y), this.#width - LEFT, 1);
      context.fillStyle = this.#colours.quiet;
      context.fillText(text, LEFT - 6, y);
    };
    line(RATES.top, String(high));
    line((RATES.top + RATES.bottom) / 2, String((low + high) / 2));
    line(RATES.bottom, String(low));
    line(SCORES.top, "1");
    line(SCORES.bottom, "0");
    context.textAlign = "center";
    context.textBaseline = "alphabetic";
    const minutes = this.#spanMs / 60_000;
    const every = (this.#width < 500 ? 2 : 1) * (minutes <= 5 ? 1 : minutes <= 15 ? 3 : minutes <= 30 ? 5 : 10) * 60_000;
    const from = this.#toMs - this.#spanMs;
    for (let ms = Math.ceil(from / every) * every; ms < this.#toMs; ms += every) {
      const x = this.#x(ms);
      if (x < LEFT + 16 || x > this.#width - 20) continue;
      context.fillText(clockTime(ms).slice(0, 5), x, HEIGHT - 6);
      context.fillRect(x, SCORES.bottom, 1, 4);
    }
  }

  #events() {
    const context = this.#context;
    for (const event of this.data.events) {
      const x = this.#x(event.ms);
      if (x < LEFT) continue;
      context.fillStyle = this.#colours[event.priority] ?? this.#colours["shade-edge"];
      context.beginPath();
      context.moveTo(x - 3.5, 1);
      context.lineTo(x + 3.5, 1);
      context.lineTo(x, 8);
      context.fill();
      context.globalAlpha = 0.25;
      context.fillRect(Math.round(x), 8, 1, SCORES.bottom - 8);
      context.globalAlpha = 1;
    }
  }

  #rates() {
    const context = this.#context;
    const { low, high } = this.#range();
    const y = (rate) => RATES.bottom - ((rate - low) / (high - low)) * (RATES.bottom - RATES.top);
    this.#curve((point) => (point.rate === null ? NaN : y(point.rate)));
    context.strokeStyle = this.#colours.trace;
    context.lineWidth = 1.6;
    context.stroke();
  }

  #scores() {
    const context = this.#context;
    const tall = SCORES.bottom - SCORES.top;
    const wide = Math.max(1, this.#x(5000) - this.#x(0) - 0.5);
    for (const { ms, fused, decision } of this.data.points) {
      const x = this.#x(ms);
      if (x < LEFT || fused === null) continue;
      context.fillStyle = decision === "abnormal" ? this.#colours["shade-edge"] : this.#colours.quiet;
      context.globalAlpha = decision === "abnormal" ? 1 : 0.55;
      context.fillRect(x, SCORES.bottom - fused * tall, wide, Math.max(1, fused * tall));
    }
    context.globalAlpha = 1;
    // Over the fused score, what each network said alone.
    context.lineWidth = 1;
    for (const [network, colour] of NETWORKS) {
      this.#curve((point) => (point[network] === null ? NaN : SCORES.bottom - point[network] * tall));
      context.strokeStyle = this.#colours[colour];
      context.stroke();
    }
  }

  #curve(height) {
    const context = this.#context;
    context.lineJoin = "round";
    context.beginPath();
    let before = -Infinity;
    for (const point of this.data.points) {
      const y = height(point);
      const x = this.#x(point.ms + 2500);
      if (x < LEFT || Number.isNaN(y)) continue;
      if (point.ms - before > 11_000) context.moveTo(x, y);
      else context.lineTo(x, y);
      before = point.ms;
    }
  }

  #paper() {
    const context = this.#context;
    const from = Math.max(this.#x(this.#frame.fromMs), LEFT);
    const to = Math.min(this.#x(this.#frame.toMs), this.#width - 1);
    context.fillStyle = this.#colours.accent;
    context.globalAlpha = 0.16;
    context.fillRect(from, 9, to - from, SCORES.bottom - 9);
    context.globalAlpha = 1;
    context.strokeStyle = this.#colours.accent;
    context.lineWidth = 1.5;
    context.strokeRect(from, 9, Math.max(3, to - from), SCORES.bottom - 9);
  }

  #pointed(event) {
    const go = (at) => {
      const x = at.clientX - this.node.getBoundingClientRect().left;
      this.jump(Math.min(this.#ms(Math.max(x, LEFT)), this.#toMs));
    };
    this.node.setPointerCapture(event.pointerId);
    const end = () => {
      this.node.removeEventListener("pointermove", go);
      this.node.removeEventListener("pointerup", end);
      this.node.removeEventListener("pointercancel", end);
    };
    this.node.addEventListener("pointermove", go);
    this.node.addEventListener("pointerup", end);
    this.node.addEventListener("pointercancel", end);
    go(event);
  }

  #key(event) {
    const middle = (this.#frame.fromMs + this.#frame.toMs) / 2;
    const to = {
      ArrowLeft: middle - STEP_MS,
      ArrowDown: middle - STEP_MS,
      ArrowRight: middle + STEP_MS,
      ArrowUp: middle + STEP_MS,
      PageUp: middle - 10 * STEP_MS,
      PageDown: middle + 10 * STEP_MS,
      Home: this.#toMs - this.#spanMs,
      End: this.#toMs,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.jump(Math.min(to, this.#toMs));
  }
}
