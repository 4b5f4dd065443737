// The alarm desk: what waits for an answer, what asks for none, what was answered and is still there, and what is past.

import { AlarmDetail } from "./alarm_detail.js";
import { AlarmRow } from "./alarm_row.js";
import { answered, waits } from "./alarm_text.js";
import { Answers } from "./answers.js";
import { DeskFilter } from "./desk_filter.js";
import { h, mark, replace, say } from "./dom.js";
import { PastAlarms } from "./past_alarms.js";
import { sound } from "./sound.js";
import { soundDialog, soundText } from "./sound_dialog.js";
import { empty, loading } from "./states.js";
import { Strips } from "./strips.js";

const KEY_SILENCE_MIN = 2;

export const title = () => "Alarms";

export function mount(root, shell, route) {
  const desk = new Desk(root, shell, route);
  return () => desk.leave();
}

class Desk {
  #rows = new Map(); // by alarm id
  #past = new PastAlarms();
  #leave = new AbortController();
  #strips;

  constructor(root, shell, route) {
    this.shell = shell;
    this.#strips = new Strips(shell.live, this.#leave.signal);
    this.answers = new Answers(shell);
    this.chosen = route.query.id ?? null;
    const first = () => {
      this.chosen = null;
      this.#move(1);
    };
    this.filter = new DeskFilter(route.query, () => this.#filtered(), first);
    this.detail = new AlarmDetail({ answers: this.answers, strips: this.#strips, shell, close: () => this.#choose(null) });
    this.observer = new IntersectionObserver((seen) => this.#visible(seen), { rootMargin: "200px" });
    this.#build(root);
    const { signal } = this.#leave;
    shell.live.addEventListener("alarms", () => this.#show(), { signal });
    shell.live.addEventListener("patients", () => this.filter.patients(shell.live.patients.keys()), { signal });
    shell.live.addEventListener("user", () => this.#show(), { signal });
    sound().addEventListener("change", () => this.#showSound(), { signal });
    this.answers.addEventListener("change", ({ detail: id }) => this.#answered(id), { signal });
    this.#keys();
    this.filter.patients(shell.live.patients.keys());
    this.#showSound();
    this.#filtered();
  }

  leave() {
    this.#leave.abort();
    this.answers.close();
    this.observer.disconnect();
  }

  #build(root) {
    this.sound = h("button", { class: "button button-small", type: "button", onclick: () => soundDialog(sound()) });
    this.soundNote = h("span", { class: "quiet" });
    this.waiting = h("ul", { class: "alarms", "aria-labelledby": "desk-waiting" });
    this.known = h("ul", { class: "alarms", "aria-labelledby": "desk-known" });
    this.answered = h("ul", { class: "alarms", "aria-labelledby": "desk-answered" });
    this.ended = h("ul", { class: "alarms", "aria-labelledby": "desk-ended" });
    this.waitingHeading = h("h2", { id: "desk-waiting" });
    this.knownHeading = h("h2", { id: "desk-known" });
    this.answeredHeading = h("h2", { id: "desk-answered" });
    this.none = h("div", { class: "none" });
    this.more = h("button", { class: "button", type: "button", onclick: () => this.#fetch(false) }, "Earlier ones");
    this.open = h(
      "div",
      {},
      [this.waitingHeading, this.none, this.waiting],
      [this.knownHeading, this.known],
      [this.answeredHeading, this.answered],
    );
    this.pastNote = h("div", { role: "status" });
    this.past = h("div", {}, h("h2", { id: "desk-ended" }, "Past alarms"), this.pastNote, this.ended, this.more);
    this.list = h("div", { class: "list" }, this.open, this.past);
    root.append(
      h("header", { class: "desk-head" }, h("h1", {}, "Alarms"), this.filter.views, h("div", { class: "desk-sound" }, this.soundNote, this.sound)),
      this.filter.node,
      (this.node = h("div", { class: "desk" }, this.list, this.detail.node)),
    );
  }

  #keys() {
    const { keys } = this.shell;
    keys.on("j", "next alarm", () => this.#move(1));
    keys.on("k", "previous alarm", () => this.#move(-1));
    keys.on("a", "acknowledge the chosen alarm", () => this.#ask("acknowledge"));
    keys.on("s", `silence it for ${KEY_SILENCE_MIN} minutes`, () => this.#ask("silence", KEY_SILENCE_MIN));
    keys.on("u", "let it sound again", () => this.#ask("unsilence"));
    keys.on("o", "open its patient at its start", () => this.#chosenAlarm() && this.detail.patient.click());
    keys.on("/", "filter", () => this.filter.focus());
  }

  #ask(action, minutes = null) {
    const alarm = this.#chosenAlarm();
    if (alarm === null) this.shell.toast("Choose an alarm first: j and k go up and down.", { kind: "failed" });
    else if (!this.shell.may("responder")) this.shell.toast("You may look; responders answer alarms.", { kind: "failed" });
    else if (answered(alarm)) this.shell.toast("It has been answered.");
    else if (!waits(alarm)) this.shell.toast("It asks for no answer: it ends by itself.");
    else this.answers.ask(alarm, action, minutes);
  }

  #chosenAlarm() {
    return this.chosen === null ? null : (this.shell.live.alarm(this.chosen) ?? this.#past.get(this.chosen) ?? this.#last);
  }

  #last = null; // the chosen alarm as it was when it left all lists

  #filtered() {
    this.open.hidden = this.filter.past;
    this.past.hidden = !this.filter.past;
    if (this.filter.past) this.#fetch(true);
    else this.#show();
  }

  /** Show what is open. */
  #show() {
    const { live } = this.shell;
    const open = live.openAlarms().filter((alarm) => this.filter.takes(alarm));
    const waiting = open.filter(waits);
    const seen = open.filter(answered);
    const known = open.filter((alarm) => !waits(alarm) && !answered(alarm));
    say(this.waitingHeading, `To be answered (${waiting.length})`);
    say(this.knownHeading, `To be known, ending by itself (${known.length})`);
    say(this.answeredHeading, `Acknowledged and still there (${seen.length})`);
    this.knownHeading.hidden = known.length === 0;
    this.answeredHeading.hidden = seen.length === 0;
    this.#followChoice(waiting);
    this.#fill(this.waiting, waiting);
    this.#fill(this.known, known);
    this.#fill(this.answered, seen);
    if (waiting.length) replace(this.none);
    else if (!live.caughtUp) replace(this.none, loading("Reading the alarms"));
    else if (this.filter.any) replace(this.none, empty("No such alarm is open", h("p", {}, "Others may be: take the filter away.")));
    else replace(this.none, empty("No alarm waits for an answer", h("p", {}, "New ones appear here by themselves.")));
    this.#showDetail();
  }

  /** When the chosen alarm is answered, the next one is chosen: who works through them presses `a` again. */
  #followChoice(waiting) {
    const before = [...this.waiting.children].map((node) => node.dataset.id);
    const at = before.indexOf(this.chosen);
    if (this.filter.past || at < 0 || waiting.some((alarm) => alarm.id === this.chosen)) return;
    const still = new Set(waiting.map((alarm) => alarm.id));
    const next = before.slice(at + 1).find((id) => still.has(id)) ?? before.slice(0, at).reverse().find((id) => still.has(id));
    const focused = this.#rows.get(this.chosen)?.node.contains(document.activeElement);
    this.#last = null;
    this.#choose(next ?? null, { show: false });
    if (focused && next) this.#rows.get(next)?.button.focus();
  }

  #fill(list, alarms) {
    const here = new Set(alarms.map((alarm) => alarm.id));
    for (const node of [...list.children]) {
      if (here.has(node.dataset.id)) continue;
      node.remove();
      this.observer.unobserve(node);
    }
    alarms.forEach((alarm, at) => {
      let row = this.#rows.get(alarm.id);
      if (row === undefined) {
        row = this.#row(alarm);
        this.#rows.set(alarm.id, row);
      } else row.update(alarm);
      row.chosen(alarm.id === this.chosen);
      if (list.children[at] !== row.node) {
        const focus = row.node.contains(document.activeElement) ? document.activeElement : null;
        list.insertBefore(row.node, list.children[at] ?? null);
        focus?.focus();
        this.observer.observe(row.node);
      }
    });
    for (const [id, row] of this.#rows) if (!row.node.isConnected) this.#rows.delete(id);
  }

  #row(alarm) {
    const row = new AlarmRow(alarm, {
      answers: this.answers,
      may: () => this.shell.may("responder"),
      choose: (id) => this.#choose(id, { open: true }),
      strips: this.#strips,
    });
    row.node.dataset.id = alarm.id;
    return row;
  }

  #visible(seen) {
    for (const { isIntersecting, target } of seen) {
      if (!isIntersecting) continue;
      this.observer.unobserve(target);
      this.#rows.get(target.dataset.id)?.show();
    }
  }

  async #fetch(anew) {
    if (anew) {
      this.#past.clear();
      replace(this.pastNote, loading("Reading the history"));
    }
    const mine = this.filter.query();
    try {
      await this.#past.fetch(mine, { signal: this.#leave.signal });
    } catch (error) {
      if (error.name === "AbortError") return;
      replace(this.pastNote, h("p", { class: "failed", role: "alert" }, error.message));
      return;
    }
    const found = this.#past.list();
    replace(this.pastNote, found.length ? null : empty("No past alarm", h("p", {}, "None ended in that time and matches the filter.")));
    this.#fill(this.ended, found);
    this.more.hidden = !this.#past.more;
    this.#showDetail();
  }

  #choose(id, { open = false, show = true } = {}) {
    this.chosen = id;
    for (const [each, row] of this.#rows) row.chosen(each === id);
    this.filter.chosen(id);
    this.node.classList.toggle("opened", id !== null && (open || this.node.classList.contains("opened")));
    if (show) this.#showDetail();
    if (open && matchMedia("(max-width: 1000px)").matches) {
      this.detail.heading.focus({ preventScroll: true });
      this.node.scrollIntoView();
    }
  }

  #move(by) {
    const list = this.filter.past ? [this.ended] : [this.waiting, this.known, this.answered];
    const ids = list.flatMap((each) => [...each.children]).map((node) => node.dataset.id);
    if (!ids.length) return;
    const at = ids.indexOf(this.chosen);
    const next = ids[at < 0 ? (by > 0 ? 0 : ids.length - 1) : Math.min(Math.max(at + by, 0), ids.length - 1)];
    this.#choose(next);
    const { button } = this.#rows.get(next);
    button.focus({ preventScroll: true });
    button.scrollIntoView({ block: "nearest" });
  }

  async #showDetail() {
    const alarm = this.#chosenAlarm();
    if (alarm !== null) this.#last = alarm;
    if (alarm !== null || this.chosen === null) return this.detail.show(alarm);
    if (!this.shell.live.caughtUp) return undefined;
    const id = this.chosen; // of an address: it may have ended long ago
    try {
      const past = await this.#past.one(id);
      if (this.chosen === id) {
        this.#last = past;
        this.detail.show(past);
      }
    } catch (error) {
      this.shell.toast(error.message, { kind: "failed" });
      if (this.chosen === id) this.#choose(null);
    }
    return undefined;
  }

  #answered(id) {
    this.#rows.get(id)?.answer();
    if (id === this.chosen) this.detail.answer();
  }

  #showSound() {
    const of = sound();
    const notes = { off: "Alarms make no sound in this browser.", muted: `${soundText(of)}.`, waits: `${soundText(of)}.`, on: "" };
    say(this.soundNote, notes[of.state]);
    say(this.sound, of.state === "off" ? "Turn sound on" : "Sound and notifications");
    mark(this.sound, "data-state", of.state);
  }
}
