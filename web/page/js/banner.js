// The most urgent open alarm, above every view; a new one is said aloud by screen readers, once.

import { waits } from "./alarm_text.js";
import { h, replace } from "./dom.js";
import { priorityText, since } from "./format.js";
import { icon } from "./icons.js";
import { PROMPT } from "./order.js";
import { patientPath } from "./routes.js";

export class Banner {
  #shown = "";
  #said = null; // of each alarm, the priority it was last said with; null before the first look

  constructor(node, shell) {
    this.node = node;
    this.shell = shell;
    shell.live.addEventListener("alarms", () => this.#update());
    this.#update();
  }

  #update() {
    const open = this.shell.live.openAlarms();
    this.#say(open);
    const waiting = open.filter(waits);
    const first = waiting[0];
    const key = first ? `${first.id} ${first.priority} ${first.state} ${first.label} ${waiting.length}` : "";
    if (key === this.#shown) return;
    this.#shown = key;
    if (!first) {
      replace(this.node);
      delete this.node.dataset.priority;
      return;
    }
    this.node.dataset.priority = first.priority;
    const more = waiting.length > 1 && h("a", { class: "more", href: "/alarms" }, `${waiting.length - 1} more`);
    replace(
      this.node,
      icon(first.priority, 22),
      h("span", { class: "priority" }, priorityText(first.priority)),
      h(
        "a",
        { class: "what", href: patientPath(first.patient, first.onset_ns / 1e6) },
        h("b", {}, first.patient),
        ` ${first.label}`,
      ),
      h("span", { class: "when" }, first.state === "latched" ? "has gone, not acknowledged" : since(first.onset_ns / 1e6)),
      more,
    );
  }

  #say(open) {
    const said = new Map();
    for (const alarm of open) {
      said.set(alarm.id, alarm.priority);
      if (this.#said && PROMPT.has(alarm.priority) && this.#said.get(alarm.id) !== alarm.priority) {
        this.shell.announce(`${priorityText(alarm.priority)} alarm, ${alarm.patient}: ${alarm.label}`);
      }
    }
    if (this.shell.live.caughtUp) this.#said = said;
  }
}
