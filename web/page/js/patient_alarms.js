// A patient's open alarms, to be answered where they are looked at.

import { standing, waits, when, asked } from "./alarm_text.js";
import { Answers } from "./answers.js";
import { h, mark, replace, say } from "./dom.js";
import { priorityText } from "./format.js";
import { icon } from "./icons.js";

const SILENCE_MIN = 2;

export class PatientAlarms {
  #rows = new Map();
  #ends = [];

  /** `show(ms)` shows a moment on the paper. */
  constructor(patient, shell, show) {
    this.patient = patient;
    this.shell = shell;
    this.show = show;
    this.answers = new Answers(shell);
    this.none = h("p", { class: "quiet" }, "No open alarms.");
    this.list = h("ul", { class: "patient-alarms", role: "list" });
    this.node = h("section", { class: "card", "aria-label": "Alarms" }, h("h2", {}, "Open alarms"), this.none, this.list);
    const update = () => this.#update();
    for (const [target, name] of [[shell.live, "alarms"], [shell.live, "user"], [this.answers, "change"]]) {
      target.addEventListener(name, update);
      this.#ends.push(() => target.removeEventListener(name, update));
    }
    this.#update();
  }

  close() {
    for (const end of this.#ends) end();
    this.answers.close();
  }

  #update() {
    const open = this.shell.live.openAlarms(this.patient);
    this.none.hidden = open.length > 0;
    const kept = new Set(open.map((alarm) => alarm.id));
    for (const [id, row] of this.#rows) {
      if (kept.has(id)) continue;
      row.node.remove();
      this.#rows.delete(id);
    }
    let at = this.list.firstElementChild;
    for (const alarm of open) {
      let row = this.#rows.get(alarm.id);
      if (!row) {
        row = this.#row();
        this.#rows.set(alarm.id, row);
      }
      this.#show(row, alarm);
      if (row.node === at) at = at.nextElementSibling;
      else this.list.insertBefore(row.node, at);
    }
  }

  #row() {
    const row = { alarm: null };
    row.badge = h("span", { class: "badge" });
    row.label = h("button", { class: "link", type: "button", onclick: () => this.show(row.alarm.onset_ns / 1e6) });
    row.standing = h("p", { class: "quiet number" });
    row.acknowledge = h("button", { class: "button button-small", type: "button" });
    row.acknowledge.addEventListener("click", () => this.answers.ask(row.alarm, "acknowledge"));
    row.silence = h("button", { class: "button button-small", type: "button" });
    row.silence.addEventListener("click", () => {
      const silent = row.alarm.state === "silenced";
      this.answers.ask(row.alarm, silent ? "unsilence" : "silence", silent ? null : SILENCE_MIN);
    });
    row.failed = h("p", { class: "field-error", role: "alert" });
    const head = h("div", { class: "card-head" }, row.badge, row.label);
    row.node = h("li", {}, head, row.standing, h("p", { class: "row" }, row.acknowledge, row.silence), row.failed);
    return row;
  }

  #show(row, alarm) {
    row.alarm = alarm;
    const under = this.answers.asked(alarm.id);
    if (row.badge.dataset.state !== alarm.priority) {
      row.badge.dataset.state = alarm.priority;
      replace(row.badge, icon(alarm.priority, 18), priorityText(alarm.priority));
    }
    say(row.label, alarm.label);
    mark(row.label, "title", "Show where it began");
    say(row.standing, `${standing(alarm)} · ${when(alarm)}`);
    const may = this.shell.may("responder");
    row.acknowledge.hidden = !may || !waits(alarm);
    row.silence.hidden = !may || !waits(alarm);
    row.acknowledge.disabled = row.silence.disabled = under !== null;
    say(row.acknowledge, under === "acknowledge" ? asked(under) : "Acknowledge");
    mark(row.acknowledge, "aria-label", `Acknowledge: ${alarm.label}`);
    const silence = alarm.state === "silenced" ? "Sound again" : `Silence for ${SILENCE_MIN} min`;
    say(row.silence, under && under !== "acknowledge" ? asked(under) : silence);
    mark(row.silence, "aria-label", `${silence}: ${alarm.label}`);
    say(row.failed, this.answers.failed(alarm.id) ?? "");
  }
}
