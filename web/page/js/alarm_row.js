// One alarm in a list of the desk.

import { asked, standing, waits, when } from "./alarm_text.js";
import { h, mark, replace, say } from "./dom.js";
import { priorityText } from "./format.js";
import { icon } from "./icons.js";

/** A row that stays the same element while its alarm changes, so that the focus stays where it is. */
export class AlarmRow {
  #picture = "";

  constructor(alarm, { answers, may, choose, strips }) {
    this.answers = answers;
    this.may = may;
    this.badge = h("span", { class: "badge" });
    this.label = h("span", { class: "label" });
    this.patient = h("span", { class: "patient" });
    this.when = h("span", { class: "when number" });
    this.standing = h("span", { class: "standing" });
    this.strip = h("span", { class: "strip" });
    this.button = h(
      "button",
      { class: "pick", type: "button", onclick: () => choose(this.alarm.id) },
      h("span", { class: "head" }, this.badge, this.label, this.patient),
      this.strip,
      h("span", { class: "told" }, this.when, this.standing),
    );
    this.acknowledge = h("button", { class: "button button-small", type: "button" }, "Acknowledge");
    this.acknowledge.addEventListener("click", () => this.answers.ask(this.alarm, "acknowledge"));
    this.note = h("p", { class: "note" });
    this.node = h("li", { class: "alarm" }, this.button, this.acknowledge, this.note);
    this.strips = strips;
    this.update(alarm);
  }

  update(alarm) {
    this.alarm = alarm;
    this.node.dataset.priority = alarm.priority;
    this.node.dataset.alarmState = alarm.state;
    this.badge.dataset.state = alarm.priority;
    if (this.#picture !== alarm.priority) {
      replace(this.badge, icon(alarm.priority, 18), h("span", {}, priorityText(alarm.priority)));
      this.#picture = alarm.priority;
    }
    say(this.label, alarm.label);
    say(this.patient, alarm.patient);
    say(this.when, when(alarm));
    say(this.standing, standing(alarm));
    this.answer();
  }

  /** Show what is asked for, and what became of it. */
  answer() {
    const action = this.answers.asked(this.alarm.id);
    this.acknowledge.hidden = !waits(this.alarm) || !this.may();
    mark(this.acknowledge, "aria-disabled", action === null ? null : "true");
    const label = action === null ? "Acknowledge" : asked(action);
    mark(this.acknowledge, "aria-label", `${label}: ${this.alarm.label}, ${this.alarm.patient}`);
    say(this.acknowledge, label);
    this.node.classList.toggle("asked", action !== null);
    say(this.note, this.answers.failed(this.alarm.id) ?? "");
  }

  chosen(is) {
    mark(this.button, "aria-current", is ? "true" : null);
  }

  /** Draw the strip once it is in sight. */
  async show() {
    const strip = await this.strips.miniature(this.alarm);
    if (strip !== null) replace(this.strip, strip);
  }
}
