// A sheet of ECG paper: the grid, marks on it, traces over them. What is on it is drawn by live_paper.js and past_paper.js.

import { h } from "./dom.js";
import { Scale } from "./scale.js";
import { colours } from "./theme.js";

const NAMES = [
  ["paper", "paper-fine", "paper-coarse", "ink", "ink-other", "ink-dim", "filtered", "shade", "shade-edge", "quiet", "text"],
  ["beat-n", "beat-s", "beat-v", "beat-f", "beat-q", "surface"],
].flat();
const FONT = '"Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif';

export class Sheet {
  scale = new Scale();
  width = 0; // CSS px
  height = 0;
  density = 1;
  leads = [];
  zeros = []; // mV in the middle of each lane
  layout = { height: 0, top: 0, foot: 0, lanes: [] };
  colours = {};

  constructor() {
    this.canvases = ["grid", "marks", "trace"].map((name) => h("canvas", { class: `sheet-${name}`, "aria-hidden": "true" }));
    [this.gridCanvas, this.marksCanvas, this.traceCanvas] = this.canvases;
    [this.grid, this.marks, this.trace] = this.canvases.map((canvas) => canvas.getContext("2d"));
    this.node = h("div", { class: "sheet" }, this.canvases);
    this.recolour();
  }

  recolour() {
    this.colours = colours(...NAMES);
  }

  /** Lay it out for leads in a room (CSS px); all is blank then. */
  lay({ width, room, leads }) {
    this.width = Math.floor(width);
    this.leads = leads;
    this.layout = this.scale.lanes(Math.max(leads.length, 1), room);
    this.height = Math.round(this.layout.height);
    this.density = Math.min(devicePixelRatio, 2);
    this.node.style.height = `${this.height}px`;
    for (const canvas of this.canvases) {
      canvas.width = Math.round(this.width * this.density);
      canvas.height = Math.round(this.height * this.density);
      canvas.style.width = `${this.width}px`;
      canvas.style.height = `${this.height}px`;
    }
    for (const context of [this.grid, this.marks]) context.setTransform(this.density, 0, 0, this.density, 0, 0);
  }

  /** How much time the width holds, ms. */
  get spanMs() {
    return this.width / this.scale.pxPerMs;
  }

  /** Centre the lanes on these mV; whether that changes anything. */
  centre(zeros) {
    const same = zeros.length === this.zeros.length && zeros.every((zero, lane) => Math.abs(zero - this.zeros[lane]) < 0.35);
    if (!same) this.zeros = zeros;
    return !same;
  }

  /** The height of 0 mV in a lane, CSS px. */
  zeroPx(lane) {
    return this.layout.lanes[lane].middle + (this.zeros[lane] ?? 0) * this.scale.pxPerMv;
  }

  /** The lane at a height, and the mV that the height means there. */
  mvAt(y) {
    const { lanes } = this.layout;
    const lane = Math.max(0, lanes.findIndex(({ bottom }) => y < bottom));
    return { lane, mv: (this.zeroPx(lane) - y) / this.scale.pxPerMv };
  }

  colourOf(lane) {
    return lane === 0 ? this.colours.ink : this.colours["ink-other"];
  }

  font(size, weight = 600) {
    return `${weight} ${size}px ${FONT}`;
  }

  /** Draw the paper; the vertical lines are moved to the left by `offset` px. */
  drawGrid(offset = 0) {
    const { grid, width, height, density } = this;
    grid.setTransform(1, 0, 0, 1, 0, 0);
    grid.fillStyle = this.colours.paper;
    grid.fillRect(0, 0, width * density, height * density);
    const mm = this.scale.pxPerMm * density;
    this.#lines(mm, 1, this.colours["paper-fine"], offset * density);
    this.#lines(mm, 5, this.colours["paper-coarse"], offset * density);
    grid.setTransform(density, 0, 0, density, 0, 0);
    grid.font = this.font(12);
    grid.textBaseline = "top";
    this.leads.forEach((lead, lane) => {
      const { top } = this.layout.lanes[lane];
      const wide = grid.measureText(lead).width + 12;
      grid.fillStyle = this.colours.paper;
      grid.fillRect(4, top + 3, wide, 19);
      grid.fillStyle = this.colourOf(lane);
      grid.fillText(lead, 10, top + 6);
    });
  }

  #lines(mm, every, colour, offset) {
    const { grid } = this;
    const width = this.gridCanvas.width;
    const height = this.gridCanvas.height;
    grid.fillStyle = colour;
    const step = mm * every;
    const thick = Math.max(1, Math.round(this.density * (every === 1 ? 0.6 : 1)));
    for (let x = -(((offset % step) + step) % step); x < width; x += step) grid.fillRect(Math.round(x), 0, thick, height);
    // Lanes begin on a thick line.
    const top = (this.layout.top * this.density) % step;
    for (let y = top; y < height; y += step) grid.fillRect(0, Math.round(y), width, thick);
  }
}
