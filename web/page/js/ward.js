// The ward: a tile for each patient, most urgent first.

import { Bands } from "./bands.js";
import { h, mark, replace, say } from "./dom.js";
import { stateName } from "./format.js";
import { icon } from "./icons.js";
import { loop } from "./loop.js";
import { byUrgency, counts, wanted } from "./order.js";
import { Samples } from "./samples.js";
import { empty, loading } from "./states.js";
import { colours, themes } from "./theme.js";
import { Tile } from "./tile.js";

const FS_HZ = 120; // more than twice what a tile is wide: 46 px a second
const CROWD = 24; // from so many patients on, tiles are smaller
const STILL_MS = 1500; // no tile moves under a pointer that moved so recently
const AT_FIRST = 120; // tiles that are shown before somebody asks for more, and how many more that brings
const MOST_TILES = 960; // the server takes a thousand ids
const MANY_MS = 1000; // between two looks at a ward of more patients than tiles
const WATCH_MS = 3000; // between two changes of whose samples are asked for

export const title = () => "Ward";

export function mount(root, shell) {
  const ward = new WardView(root, shell);
  return () => ward.leave();
}

class WardView {
  #shell;
  #tiles = new Map();
  #typed = "";
  #states = new Set();
  #ends = [];
  #pointed = -Infinity;
  #waiting = 0;
  #limit = AT_FIRST;
  #looked = -Infinity; // when the order of all was looked at last
  #watched = null; // ids whose samples come; null for all
  #watchedAt = -Infinity;
  #bands = new Bands();
  #seen = []; // tiles in sight
  #drawnAt = NaN;
  #second = NaN;
  #measured = 0; // place of the tile whose samples' age was measured last
  #colour = colours("trace").trace;

  constructor(root, shell) {
    this.#shell = shell;
    this.#build(root);
    const { live } = shell;
    this.#samples = new Samples(live, { patients: null, leads: "first", fs_hz: FS_HZ }, (frame) => {
      const tile = this.#watched === null ? this.#tileOf(frame.patient) : this.#tiles.get(frame.patient);
      tile?.trace.put(frame, performance.now());
    });
    this.#sizes = new ResizeObserver((entries) => {
      for (const { target, contentRect } of entries) target.tile.resize(contentRect.width, contentRect.height);
    });
    this.#views = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) target.tile.visible = isIntersecting;
      this.#findSeen();
    });
    this.#listen(live, "patients", () => this.#update());
    this.#listen(live, "state", () => this.#update());
    this.#listen(themes, "change", () => this.#recolour());
    shell.keys.on("/", "find a patient", () => this.#find.focus());
    this.#ends.push(loop.add((now) => this.#draw(now)));
    this.#update();
  }

  #samples;
  #sizes;
  #views;
  #find;
  #chips;
  #grid;
  #more;
  #note;
  #trouble;

  leave() {
    for (const end of this.#ends) end();
    clearTimeout(this.#waiting);
    this.#samples.close();
    this.#sizes.disconnect();
    this.#views.disconnect();
  }

  #build(root) {
    this.#find = h("input", { type: "search", placeholder: "Find a patient", "aria-label": "Find a patient", size: 16 });
    this.#find.addEventListener("input", () => {
      this.#typed = this.#find.value;
      this.#pointed = this.#looked = -Infinity;
      this.#update();
    });
    this.#chips = h("div", { class: "chips", role: "group", "aria-label": "Show only" });
    this.#trouble = h("p", { class: "trouble", role: "status" });
    this.#note = h("div");
    this.#grid = h("ul", { class: "ward", role: "list" });
    this.#grid.addEventListener("pointermove", () => (this.#pointed = performance.now()));
    this.#more = h("button", { type: "button", class: "button ward-more", hidden: true });
    this.#more.addEventListener("click", () => {
      this.#limit = Math.min(this.#limit + AT_FIRST, MOST_TILES);
      this.#pointed = this.#looked = -Infinity;
      this.#update();
    });
    root.append(
      h("div", { class: "ward-head" }, h("h1", {}, "Ward"), this.#chips, this.#find),
      this.#trouble,
      this.#note,
      this.#grid,
      this.#more,
    );
  }

  #listen(target, name, act) {
    target.addEventListener(name, act);
    this.#ends.push(() => target.removeEventListener(name, act));
  }

  #draw(now) {
    // Few frames that are wanted so tell nothing of how slow the machine is.
    if (!loop.calm) this.#bands.next(now - this.#drawnAt);
    this.#drawnAt = now;
    for (const tile of this.#tiles.values()) tile.trace.step(now);
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      for (const tile of this.#tiles.values()) tile.check(now);
    }
    const seen = this.#seen;
    for (let place = 0; place < seen.length; place++) {
      if (loop.calm || this.#bands.has(place, seen.length)) seen[place].draw();
    }
    // One tile after the other is measured: what is told of ages holds for all.
    this.#measured = (this.#measured + 1) % Math.max(seen.length, 1);
    const age = seen[this.#measured]?.trace.ageMs(Date.now());
    if (age === age && age !== undefined) loop.age.add(age);
  }

  /** Which tiles are in sight, from the top. */
  #findSeen() {
    this.#seen = [];
    for (const { tile } of this.#grid.children) if (tile.visible) this.#seen.push(tile);
  }

  #update() {
    const { patients } = this.#shell.live;
    clearTimeout(this.#waiting);
    if (patients.size > this.#limit) {
      const wait = this.#looked + MANY_MS - performance.now();
      if (wait > 0) {
        this.#waiting = setTimeout(() => this.#update(), wait);
        return;
      }
    }
    this.#looked = performance.now();
    const summaries = [...patients.values()];
    this.#describe(summaries);
    for (const [id, tile] of this.#tiles) if (!patients.has(id)) this.#remove(id, tile);
    const found = byUrgency(summaries.filter((summary) => wanted(summary, this.#typed, this.#states)));
    const order = found.slice(0, this.#limit);
    const still = performance.now() - this.#pointed;
    const stays = still < STILL_MS && (patients.size > this.#limit || this.#grid.childElementCount === order.length);
    if (stays) {
      for (const [id, tile] of this.#tiles) tile.update(patients.get(id));
      this.#waiting = setTimeout(() => this.#update(), STILL_MS - still);
    } else if (patients.size > this.#limit) {
      this.#showSome(order, patients);
    } else {
      for (const summary of summaries) this.#tileOf(summary.patient).update(summary);
      this.#sort(order);
      this.#watch(null);
    }
    this.#offerMore(found.length);
    mark(this.#grid, "data-crowd", summaries.length > CROWD ? "true" : null);
  }

  /** Of more patients than there may be tiles, those that need somebody first; nothing is kept of the others. */
  #showSome(order, patients) {
    const keep = new Set(order);
    for (const [id, tile] of this.#tiles) if (!keep.has(id)) this.#remove(id, tile);
    for (const id of order) this.#tileOf(id).update(patients.get(id));
    this.#sort(order);
    this.#watch(order);
  }

  /** Ask for the samples of these, null for all; not anew for each tile that comes. */
  #watch(ids) {
    const all = ids === null && this.#watched === null;
    const same = ids !== null && this.#watched !== null && ids.every((id) => this.#watched.has(id));
    const now = performance.now();
    if (all || same || (this.#watched !== null && ids !== null && now - this.#watchedAt < WATCH_MS)) return;
    this.#watched = ids && new Set(ids);
    this.#watchedAt = now;
    this.#samples.watch({ patients: ids, leads: "first", fs_hz: FS_HZ });
  }

  #offerMore(found) {
    const rest = found - this.#limit;
    this.#more.hidden = rest <= 0;
    if (rest <= 0) return;
    const full = this.#limit >= MOST_TILES;
    this.#more.disabled = full;
    const offer = full ? "find the others by name or state" : `show ${Math.min(AT_FIRST, rest)} more`;
    say(this.#more, `The ${this.#limit} most urgent of ${found} patients: ${offer}`);
  }

  /** A patient's tile; samples may come before the first word of who they are of. */
  #tileOf(patient) {
    let tile = this.#tiles.get(patient);
    if (!tile) {
      tile = new Tile(patient);
      tile.recolour(this.#colour);
      this.#tiles.set(patient, tile);
      this.#sizes.observe(tile.canvas);
      this.#views.observe(tile.canvas);
    }
    return tile;
  }

  #remove(id, tile) {
    this.#sizes.unobserve(tile.canvas);
    this.#views.unobserve(tile.canvas);
    tile.node.remove();
    this.#tiles.delete(id);
  }

  #recolour() {
    this.#colour = colours("trace").trace;
    for (const tile of this.#tiles.values()) tile.recolour(this.#colour);
  }

  /** Put the tiles in order, moving as few as it takes. */
  #sort(ids) {
    const order = ids.map((id) => this.#tiles.get(id).node);
    const focused = document.activeElement;
    const keep = new Set(order);
    for (const node of [...this.#grid.children]) if (!keep.has(node)) node.remove();
    let at = this.#grid.firstElementChild;
    for (const node of order) {
      if (node === at) at = at.nextElementSibling;
      else this.#grid.insertBefore(node, at);
    }
    this.#findSeen();
    if (focused !== document.activeElement && this.#grid.contains(focused)) focused.focus({ preventScroll: true });
  }

  #describe(summaries) {
    const { live } = this.#shell;
    replace(this.#chips, summaries.length ? this.#chipsOf(summaries) : null);
    this.#find.hidden = summaries.length < 2;
    const note = this.#noteOf(live, summaries);
    if (this.#note.dataset.note !== note) {
      this.#note.dataset.note = note;
      replace(this.#note, NOTES[note]());
    }
    const broken = ["lost", "lagging", "catching"].includes(live.state);
    say(this.#trouble, broken && summaries.length ? `Not live: ${live.trouble || "trying again"}` : "");
  }

  #noteOf(live, summaries) {
    if (summaries.length) {
      return summaries.some((summary) => wanted(summary, this.#typed, this.#states)) ? "none" : "unfound";
    }
    if (live.state === "lagging") return "kafka";
    if (live.state === "lost") return "lost";
    if (live.state === "catching") return "catching";
    return live.caughtUp ? "empty" : "loading";
  }

  #chipsOf(summaries) {
    const focused = document.activeElement?.dataset.chip;
    const all = h("span", { class: "number" }, `${summaries.length} ${summaries.length === 1 ? "patient" : "patients"}`);
    const chips = counts(summaries).map(([state, count]) => {
      const chip = h(
        "button",
        { type: "button", class: "chip badge", "data-state": state, "data-chip": state, "aria-pressed": String(this.#states.has(state)) },
        icon(state, 16),
        h("b", { class: "number" }, String(count)),
        ` ${stateName(state)}`,
      );
      chip.addEventListener("click", () => {
        if (!this.#states.delete(state)) this.#states.add(state);
        this.#pointed = this.#looked = -Infinity;
        this.#update();
      });
      if (state === focused) queueMicrotask(() => chip.focus());
      return chip;
    });
    return [all, chips];
  }
}

const NOTES = {
  none: () => null,
  loading: () => loading("Asking who is on the ward"),
  catching: () => loading("The server reads what it has missed"),
  empty: () =>
    empty(
      "No patient has been heard yet",
      h("p", {}, "Patients appear here with their first samples. To play recordings: ", h("code", {}, "ecgstream replay")),
    ),
  unfound: () => empty("No patient fits", h("p", {}, "Nobody on the ward has this name and this state.")),
  kafka: () =>
    empty(
      "Kafka does not answer",
      h("p", {}, "This page is there, the stream behind it is not. ", h("code", {}, "ecgstream doctor"), " says what is wrong."),
    ),
  lost: () =>
    empty(
      "The server cannot be reached",
      h("p", {}, "The page goes on trying. Is ", h("code", {}, "ecgstream web"), " running?"),
    ),
};
