// Two crosses on the paper, to measure between: time, rate, voltage. By pointer or by arrow keys.

import { h, mark, replace } from "./dom.js";
import { between, measured } from "./measuring.js";

const STEP_PX = 1;
const LEAP_PX = 10;

export class Calipers {
  #sheet;
  #crosses;

  constructor(sheet) {
    this.#sheet = sheet;
    this.output = h("output", { class: "caliper-told", "aria-live": "polite" });
    this.#crosses = [this.#cross("A"), this.#cross("B")];
    this.node = h("div", { class: "calipers", hidden: true }, this.#crosses.map((cross) => cross.node), this.output);
  }

  get shown() {
    return !this.node.hidden;
  }

  /** Show them where they can be seen, or hide them. */
  show(is) {
    this.node.hidden = !is;
    if (!is) return;
    const { width, layout } = this.#sheet;
    const middle = layout.lanes[0]?.middle ?? layout.height / 2;
    const [one, other] = this.#crosses;
    if (!(one.x > 0 && one.x < width && other.x > 0 && other.x < width)) {
      Object.assign(one, { x: width * 0.4, y: middle });
      Object.assign(other, { x: width * 0.5, y: middle });
    }
    this.place();
    one.handle.focus({ preventScroll: true });
  }

  /** Put them where they belong after the paper has changed. */
  place() {
    for (const cross of this.#crosses) this.#put(cross);
    this.#describe();
  }

  #cross(name) {
    const line = h("div", { class: "caliper-line" });
    const level = h("div", { class: "caliper-level" });
    const handle = h(
      "button",
      { class: "caliper-handle", type: "button", role: "slider", "aria-label": `Caliper ${name}`, "data-own-keys": true },
      name,
    );
    mark(handle, "aria-valuemin", "0");
    const cross = { name, x: NaN, y: NaN, line, level, handle, node: h("div", { class: "caliper" }, line, level, handle) };
    handle.addEventListener("keydown", (event) => this.#key(event, cross));
    for (const grip of [handle, line]) this.#drag(grip, cross);
    return cross;
  }

  #drag(grip, cross) {
    grip.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      event.stopPropagation();
      cross.handle.focus({ preventScroll: true });
      grip.setPointerCapture(event.pointerId);
      const dx = cross.x - event.clientX;
      const dy = cross.y - event.clientY;
      const move = (moved) => {
        cross.x = moved.clientX + dx;
        if (grip === cross.handle) cross.y = moved.clientY + dy;
        this.#put(cross);
        this.#describe();
      };
      const end = () => {
        grip.removeEventListener("pointermove", move);
        grip.removeEventListener("pointerup", end);
        grip.removeEventListener("pointercancel", end);
      };
      grip.addEventListener("pointermove", move);
      grip.addEventListener("pointerup", end);
      grip.addEventListener("pointercancel", end);
    });
  }

  #key(event, cross) {
    const step = event.shiftKey ? LEAP_PX : STEP_PX;
    const [dx, dy] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key] ?? [0, 0];
    if (dx === 0 && dy === 0) return;
    event.preventDefault();
    cross.x += dx;
    cross.y += dy;
    this.#put(cross);
    this.#describe();
  }

  #put(cross) {
    const { width, height } = this.#sheet;
    cross.x = Math.min(Math.max(cross.x, 0), width);
    cross.y = Math.min(Math.max(cross.y, 0), height);
    cross.line.style.transform = `translateX(${cross.x}px)`;
    cross.level.style.transform = `translate(${cross.x - 22}px, ${cross.y}px)`;
    cross.handle.style.transform = `translate(${cross.x}px, ${cross.y}px)`;
    mark(cross.handle, "aria-valuemax", String(Math.round(width)));
    mark(cross.handle, "aria-valuenow", String(Math.round(cross.x)));
  }

  #describe() {
    const [one, other] = this.#crosses;
    if (!Number.isFinite(one.x)) return;
    const values = measured(between(one, other, this.#sheet.scale));
    replace(this.output, ...values.map(([name, value]) => h("span", {}, h("b", { class: "number" }, value), ` ${name}`)));
    for (const cross of this.#crosses) mark(cross.handle, "aria-valuetext", values.map(([unit, value]) => `${value} ${unit}`).join(", "));
  }
}
