// What an alarm and its life are in words. No DOM here. Alarms are as the topic tells them; times in them are ns.

import { clockTime, duration, priorityText, score, since } from "./format.js";
import { PROMPT } from "./order.js";

export const KINDS = { physiological: "About the patient", technical: "About the signal" };
export const STATES = {
  active: "Active",
  latched: "Gone, waits for an answer",
  silenced: "Silenced",
  acknowledged: "Acknowledged",
  inactive: "Ended",
};
export const ACTIONS = { acknowledge: "Acknowledge", silence: "Silence", unsilence: "Sound again" };
const ASKED = { acknowledge: "Acknowledge asked", silence: "Silence asked", unsilence: "Sound asked" };

export const ms = (ns) => (ns === null || ns === undefined ? null : ns / 1e6);

/** Whether it has been answered, or has ended. */
export const answered = (alarm) => alarm.state === "acknowledged" || alarm.state === "inactive";

/** Whether it waits for an answer: of low priority, it asks for none and ends by itself. As ecg/urgency.py has it. */
export const waits = (alarm) => PROMPT.has(alarm.priority) && !answered(alarm);

/** Where it stands, and by whom. */
export function standing(alarm) {
  switch (alarm.state) {
    case "acknowledged":
      return `Acknowledged by ${alarm.acknowledged_by}`;
    case "silenced":
      return `Silenced by ${alarm.silenced_by} until ${clockTime(ms(alarm.silenced_until_ns))}`;
    case "inactive":
      return `Ended ${clockTime(ms(alarm.end_ns))}`;
    default:
      return STATES[alarm.state] ?? alarm.state;
  }
}

/** When, and how long: "since 14:03:22, for 2 min". */
export function when(alarm, now = Date.now()) {
  const from = ms(alarm.onset_ns);
  const long = duration(ms(alarm.end_ns ?? alarm.last_ns) - from);
  if (alarm.state === "inactive") return `${since(from, now).replace("since ", "")}, for ${long}`;
  return `${since(from, now)}, seen for ${long}`;
}

/** A button's words while the answer is awaited. */
export const asked = (action) => `${ASKED[action]}…`;

/** What was measured against what: "152 1/min, limit 120 1/min"; null where nothing was. */
export function measured(alarm) {
  const unit = alarm.unit ? ` ${alarm.unit}` : "";
  if (alarm.value === null) return null;
  const value = `${number(alarm.value)}${unit}`;
  return alarm.limit === null ? value : `${value}, limit ${number(alarm.limit)}${unit}`;
}

/** The networks' score against its limit; null where there is none. */
export function scored(alarm) {
  if (alarm.score === null) return null;
  return alarm.threshold === null ? score(alarm.score) : `${score(alarm.score)}, limit ${score(alarm.threshold)}`;
}

function number(value) {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
}

/** The life of an alarm as lines, oldest first: `[{ms, text, by}]`; `by` is who did it, or null. */
export function lifeLines(events, actions) {
  const lines = [];
  let before = null;
  for (const event of events) {
    lines.push({ ms: ms(event.told_ns), text: eventText(event, before), by: eventBy(event, before) });
    before = event;
  }
  // What was asked for and not done is part of what happened: an action that no event shows.
  const shown = lines.filter((line) => line.by !== null).length;
  const refused = actions.length > shown ? actions.length - shown : 0;
  return { lines, refused };
}

function eventBy(event, before) {
  if (event.acknowledged_by !== null && before?.acknowledged_by !== event.acknowledged_by) return event.acknowledged_by;
  if (event.silenced_by !== null && before?.silenced_until_ns !== event.silenced_until_ns) return event.silenced_by;
  return null;
}

function eventText(event, before) {
  switch (event.phase) {
    case "start":
      return `Started: ${priorityText(event.priority).toLowerCase()} priority`;
    case "continue":
      return "Repeated: nobody has answered";
    case "escalate":
      return before && before.priority !== event.priority
        ? `Escalated from ${before.priority} to ${event.priority}: nobody has answered`
        : "Escalated: nobody has answered";
    case "de-escalate":
      return `Back to ${event.priority} priority`;
    case "end":
      return before?.state === "acknowledged" || event.acknowledged_by ? "Ended" : "Ended by itself";
    default:
      return changed(event, before);
  }
}

function changed(event, before) {
  if (event.state === "acknowledged" && before?.state !== "acknowledged") return "Acknowledged";
  if (event.silenced_until_ns !== null && before?.silenced_until_ns !== event.silenced_until_ns) {
    return `Silenced until ${clockTime(ms(event.silenced_until_ns))}`;
  }
  if (before?.state === "silenced" && event.state !== "silenced") return "Sounds again";
  if (event.state === "latched" && before?.state !== "latched") return "The condition has gone; it waits for an answer";
  if (event.returned_ns !== null && before?.returned_ns !== event.returned_ns) return "The condition came back";
  return "Seen again";
}
