// What the desk shows: open or past, and which of them; kept in the address, so that it can be handed on.

import { KINDS, STATES } from "./alarm_text.js";
import { nanoseconds } from "./api.js";
import { h, mark, replace } from "./dom.js";
import { priorityText } from "./format.js";
import { PRIORITIES } from "./order.js";

const OPEN_STATES = Object.keys(STATES).filter((each) => each !== "inactive");
const HOURS = { 1: "Last hour", 8: "Last 8 hours", 24: "Last day", 168: "Last week", all: "Any time" };
const USUAL_HOURS = "24";
const KNOWN = ["view", "patient", "priority", "kind", "state", "hours", "id"];

export class DeskFilter {
  #chosen;

  /** `changed` is called when other alarms are wanted, `done` when Enter says that it is all. */
  constructor(query, changed, done) {
    this.changed = changed;
    this.done = done;
    this.#chosen = Object.fromEntries(KNOWN.filter((name) => query[name]).map((name) => [name, query[name]]));
    this.#build();
  }

  get past() {
    return this.#chosen.view === "past";
  }

  /** Whether anything is filtered. */
  get any() {
    return ["patient", "priority", "kind", "state"].some((name) => this.#chosen[name]);
  }

  /** Whether an open alarm is wanted. */
  takes(alarm) {
    const { patient, priority, kind, state } = this.#chosen;
    return (
      (!patient || alarm.patient.toLowerCase().includes(patient.toLowerCase())) &&
      (!priority || alarm.priority === priority) &&
      (!kind || alarm.kind === kind) &&
      (!state || alarm.state === state)
    );
  }

  /** What the history is asked for. */
  query() {
    const { patient, priority, kind, hours = USUAL_HOURS } = this.#chosen;
    const from = hours === "all" ? null : nanoseconds(Date.now() - Number(hours) * 3_600_000);
    return { patient: patient || null, priority: priority || null, kind: kind || null, from_ns: from };
  }

  chosen(id) {
    this.#put("id", id);
  }

  /** The patients to offer. */
  patients(ids) {
    const sorted = [...ids].sort((one, other) => one.localeCompare(other, "en", { numeric: true }));
    const key = sorted.join(" ");
    if (key === this.known) return;
    this.known = key;
    replace(this.offered, sorted.map((id) => h("option", { value: id })));
  }

  focus() {
    this.patient.focus();
  }

  #build() {
    const view = (name, label) =>
      h("button", { type: "button", class: "button button-small", onclick: () => this.#view(name) }, label);
    this.buttons = { open: view("open", "Open"), past: view("past", "Past") };
    this.views = h("div", { class: "views", role: "group", "aria-label": "Which alarms" }, this.buttons.open, this.buttons.past);
    this.offered = h("datalist", { id: "desk-patients" });
    this.patient = h("input", { type: "search", id: "desk-patient", list: "desk-patients", autocomplete: "off", value: this.#chosen.patient ?? "" });
    let later = 0;
    this.patient.addEventListener("input", () => {
      clearTimeout(later);
      later = setTimeout(() => this.#set("patient", this.patient.value.trim()), 200);
    });
    const priority = this.#select("priority", "Any", Object.fromEntries(PRIORITIES.map((each) => [each, priorityText(each)])));
    const kind = this.#select("kind", "Any", KINDS);
    const state = this.#select("state", "Any", Object.fromEntries(OPEN_STATES.map((each) => [each, STATES[each]])));
    const hours = this.#select("hours", null, HOURS);
    const field = (name, label, control) => h("div", { class: "field" }, h("label", { for: `desk-${name}` }, label), control);
    this.states = field("state", "State", state);
    this.times = field("hours", "Started in", hours);
    this.clear = h("button", { class: "button button-small", type: "button", onclick: () => this.#none() }, "Take the filter away");
    this.controls = { priority, kind, state };
    this.node = h(
      "form",
      { class: "desk-filter", role: "search", "aria-label": "Alarms", onsubmit: (event) => this.#entered(event) },
      field("patient", "Patient", this.patient),
      field("priority", "Priority", priority),
      field("kind", "About", kind),
      this.states,
      this.times,
      this.clear,
      this.offered,
    );
    this.#mark();
  }

  #entered(event) {
    event.preventDefault();
    this.#set("patient", this.patient.value.trim());
    this.done();
  }

  #select(name, any, labels) {
    const options = Object.entries(labels).map(([value, text]) => h("option", { value }, text));
    if (any !== null) options.unshift(h("option", { value: "" }, any));
    const made = h("select", { id: `desk-${name}`, onchange: () => this.#set(name, made.value) }, options);
    made.value = this.#chosen[name] ?? (name === "hours" ? USUAL_HOURS : "");
    return made;
  }

  #view(name) {
    this.#put("view", name === "past" ? "past" : null);
    this.#mark();
    this.changed();
  }

  #set(name, value) {
    this.#put(name, value);
    this.#mark();
    this.changed();
  }

  #none() {
    for (const name of ["patient", "priority", "kind", "state"]) this.#put(name, null);
    this.patient.value = "";
    for (const control of Object.values(this.controls)) control.value = "";
    this.#mark();
    this.changed();
  }

  #put(name, value) {
    if (value) this.#chosen[name] = value;
    else delete this.#chosen[name];
    const text = new URLSearchParams(this.#chosen).toString();
    history.replaceState(history.state, "", location.pathname + (text ? `?${text}` : ""));
  }

  #mark() {
    mark(this.buttons.open, "aria-pressed", String(!this.past));
    mark(this.buttons.past, "aria-pressed", String(this.past));
    this.states.hidden = this.past;
    this.times.hidden = !this.past;
    this.clear.hidden = !this.any;
  }
}
