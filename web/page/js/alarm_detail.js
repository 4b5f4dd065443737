// One alarm at length: its strip, why it was raised, what happened to it, and what can be done.

import { KINDS, asked, lifeLines, measured, ms, scored, standing, waits, when } from "./alarm_text.js";
import { address, get } from "./api.js";
import { h, mark, replace, say } from "./dom.js";
import { clockTime, priorityText, rate } from "./format.js";
import { icon } from "./icons.js";
import { patientPath } from "./routes.js";
import { SCALE, paper } from "./strip_svg.js";

export const SILENCE_MIN = [1, 2, 5, 15, 60];

/** The panel beside the list. It shows one alarm and follows it. */
export class AlarmDetail {
  #stripOf = null;
  #lifeOf = "";

  constructor({ answers, strips, shell, close }) {
    this.answers = answers;
    this.strips = strips;
    this.shell = shell;
    this.alarm = null;
    const back = h("button", { class: "button button-small back", type: "button", onclick: close }, icon("previous", 16), "List");
    this.badge = h("span", { class: "badge" });
    this.heading = h("h2", { id: "alarm-heading", tabindex: "-1" });
    this.patient = h("a", { class: "patient" });
    this.about = h("p", { class: "about" });
    this.strip = h("div", { class: "strip-paper", tabindex: "0", role: "group", "aria-label": "Strip" });
    this.prints = h("p", { class: "prints" });
    this.why = h("dl", { class: "why" });
    this.life = h("ol", { class: "life" });
    this.lifeNote = h("p", { class: "quiet" });
    this.actions = this.#buildActions();
    this.body = h(
      "div",
      { class: "body", hidden: true },
      back,
      h("header", {}, this.badge, this.heading, this.patient),
      this.about,
      this.actions,
      h("h3", {}, "Strip at its start"),
      this.strip,
      this.prints,
      h("h3", {}, "Why"),
      this.why,
      h("h3", {}, "What happened"),
      this.life,
      this.lifeNote,
    );
    this.nothing = h("p", { class: "nothing quiet" }, "Choose an alarm: its strip, why it was raised and what was done about it are shown here.");
    this.node = h("section", { class: "detail", "aria-label": "The chosen alarm" }, this.nothing, this.body);
  }

  /** Show an alarm; null shows that none is chosen. */
  show(alarm) {
    const other = alarm?.id !== this.alarm?.id;
    this.alarm = alarm;
    this.nothing.hidden = alarm !== null;
    this.body.hidden = alarm === null;
    if (alarm === null) return;
    this.badge.dataset.state = alarm.priority;
    replace(this.badge, icon(alarm.priority, 20), h("span", {}, priorityText(alarm.priority)));
    say(this.heading, alarm.label);
    say(this.patient, alarm.patient);
    mark(this.patient, "href", patientPath(alarm.patient, ms(alarm.onset_ns)));
    mark(this.patient, "aria-label", `Patient ${alarm.patient}, at the alarm's start`);
    say(this.about, `${standing(alarm)} · ${when(alarm)}`);
    this.#showWhy(alarm);
    this.answer();
    if (other || this.#stripOf !== alarm.id) this.#showStrip(alarm);
    this.#showLife(alarm);
  }

  /** Show what is asked for, and what became of it. */
  answer() {
    if (this.alarm === null) return;
    const action = this.answers.asked(this.alarm.id);
    const may = this.shell.may("responder");
    const open = waits(this.alarm);
    this.actions.hidden = !open && action === null;
    this.acknowledge.hidden = this.silences.hidden = !may;
    this.forbidden.hidden = may;
    const silenced = this.alarm.state === "silenced";
    this.unsilence.hidden = !silenced || !may;
    for (const button of this.actions.querySelectorAll("button")) mark(button, "aria-disabled", action ? "true" : null);
    say(this.asking, action ? asked(action) : (this.answers.failed(this.alarm.id) ?? ""));
    this.asking.classList.toggle("failed", action === null && this.answers.failed(this.alarm.id) !== null);
  }

  #buildActions() {
    const ask = (action, minutes = null) => this.answers.ask(this.alarm, action, minutes);
    this.acknowledge = h(
      "button",
      { class: "button button-main", type: "button", onclick: () => ask("acknowledge") },
      icon("check", 18),
      "Acknowledge",
      h("kbd", {}, "a"),
    );
    const minutes = SILENCE_MIN.map((each) =>
      h(
        "button",
        { class: "button", type: "button", "aria-label": `Silence for ${each} min`, onclick: () => ask("silence", each) },
        `${each} min`,
      ),
    );
    this.unsilence = h("button", { class: "button", type: "button", onclick: () => ask("unsilence") }, icon("sound", 18), "Sound again");
    const all = h("button", { class: "button", type: "button" }, "All of this patient, 2 min");
    all.addEventListener("click", async () => {
      try {
        await this.answers.askAll(this.alarm.patient, "silence", 2);
        this.shell.toast(`All alarms of ${this.alarm.patient} are silent for 2 minutes; a new high one sounds.`);
      } catch (error) {
        this.shell.toast(error.message, { kind: "failed" });
      }
    });
    this.silences = h("div", { class: "silences", role: "group", "aria-label": "Silence" }, h("span", {}, icon("muted", 18), "Silence"), minutes, all);
    this.asking = h("p", { class: "asking", role: "status" });
    this.forbidden = h("p", { class: "quiet" }, "You may look. To answer alarms, ask for the role responder.");
    return h("div", { class: "actions" }, this.acknowledge, this.unsilence, this.silences, this.forbidden, this.asking);
  }

  #showWhy(alarm) {
    const rows = [
      ["Reasons", alarm.reasons.length ? alarm.reasons.join("; ") : "none given"],
      ["Measured", measured(alarm)],
      ["Score", scored(alarm)],
      ["Heart rate", alarm.heart_rate_bpm === null ? null : `${rate(alarm.heart_rate_bpm)} 1/min`],
      ["Kind", KINDS[alarm.kind]],
      ["Lead", alarm.lead],
      ["Windows", String(alarm.windows)],
      ["Code", alarm.mdc && `${alarm.mdc.code} ${alarm.mdc.reference_id}`],
      ["Escalated", alarm.escalations ? `${alarm.escalations} times` : null],
      ["Models", Object.entries(alarm.models).map(([name, version]) => `${name} ${version}`).join(", ")],
      ["Alarm", alarm.id],
    ].filter(([, value]) => value);
    replace(this.why, rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  }

  async #showStrip(alarm) {
    this.#stripOf = alarm.id;
    replace(this.strip, h("p", { class: "quiet" }, "The strip comes as soon as it is there: some seconds after the alarm's start."));
    replace(this.prints);
    let strip;
    try {
      strip = await this.strips.of(alarm);
    } catch (error) {
      if (this.alarm?.id !== alarm.id) return;
      this.#stripOf = null; // tried again with the next news of the alarm
      if (error.name !== "AbortError") replace(this.strip, h("p", { class: "quiet" }, `No strip: ${error.message}`));
      return;
    }
    if (this.alarm?.id !== alarm.id) return;
    const onset = ms(alarm.onset_ns);
    const description = `${strip.leads.join(" and ")} of ${alarm.patient} around ${clockTime(onset)}, where ${alarm.label} began`;
    const marks = strip.beats.map((each) => ({ ms: ms(each.t_ns), text: each.class ?? "·", cls: each.class ?? "none" }));
    const shades = strip.windows
      .filter((each) => each.decision !== "normal")
      .map((each) => ({ from_ms: ms(each.start_ns), to_ms: ms(each.end_ns), cls: `shade-${each.decision}` }));
    replace(this.strip, paper(strip, { description, marks, shades, line_ms: onset }));
    // What led to the alarm is before its start: show the start in the middle.
    const share = (onset - strip.start_ms) / ((strip.samples.length / strip.fs_hz) * 1000);
    this.strip.scrollLeft = share * this.strip.scrollWidth - this.strip.clientWidth / 2;
    const link = (format, text) =>
      h("a", { href: address("/alarms/strip", { id: alarm.id, format }), target: "_blank", rel: "noopener" }, text);
    replace(this.prints, `${SCALE}; to print: `, link("pdf", "PDF"), " · ", link("png", "PNG"), " · ", link("svg", "SVG"));
  }

  async #showLife(alarm) {
    const mine = `${alarm.id} ${alarm.sequence}`;
    if (mine === this.#lifeOf) return;
    this.#lifeOf = mine;
    let life = { events: [], actions: [], missing: 0 };
    let failed = null;
    try {
      life = await get("/alarms/life", { id: alarm.id });
    } catch (error) {
      failed = error.message;
    }
    if (this.#lifeOf !== mine) return;
    // The history is written a moment after the topic: what is known from there is put behind it.
    const events = life.events.filter((each) => each.sequence < alarm.sequence);
    const { lines, refused } = lifeLines([...events, alarm], life.actions);
    const rows = lines.map((line) =>
      h(
        "li",
        {},
        h("time", { class: "number", datetime: new Date(line.ms).toISOString() }, clockTime(line.ms)),
        h("span", {}, line.text, line.by && h("b", {}, ` by ${line.by}`)),
      ),
    );
    replace(this.life, rows);
    const notes = failed ? [failed] : [];
    if (life.missing) notes.push(`${life.missing} earlier messages are not in the history`);
    if (refused) notes.push(`${refused} commands changed nothing`);
    say(this.lifeNote, notes.join("; "));
  }
}
