// What a scored recording says, in plain words. No DOM here. Times are seconds from the recording's start.

import { byPriority } from "./order.js";

const VERDICTS = {
  abnormal: "Abnormal",
  normal: "No abnormality found",
  unusable: "Not enough usable signal",
};
const KIND_TEXTS = { abnormal_window: "abnormal ECG", unusual_window: "unusual ECG", heart_rate_low: "low heart rate", heart_rate_high: "high heart rate" };
const CLASSES = ["N", "S", "V", "F", "Q"];

export const verdictText = (decision) => VERDICTS[decision] ?? decision;

/** "ventricular_run" to "ventricular run". */
export const kindText = (kind) => KIND_TEXTS[kind] ?? kind.replaceAll("_", " ");

/** 1:05 or 1:02:03. */
export function place(seconds) {
  const whole = Math.floor(seconds);
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const rest = `${hours ? two(Math.floor((whole % 3600) / 60)) : Math.floor(whole / 60)}:${two(whole % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}

/** 30 min 5 s. */
export function span(seconds) {
  if (seconds < 90) return `${Number(seconds.toFixed(1))} s`;
  const minutes = Math.floor(seconds / 60);
  const rest = Math.round(seconds % 60);
  return rest ? `${minutes} min ${rest} s` : `${minutes} min`;
}

/** What decided, and how sure; a recording kept by an earlier version tells no reason. */
export function sureText({ confidence, reason }) {
  const because = reason ? `${reason[0].toUpperCase()}${reason.slice(1)}.` : "";
  if (confidence === null) return because || "Too little of it could be judged.";
  const sure = confidence > 0.99 ? "More than 99\u00a0% confidence." : `${Math.round(confidence * 100)}\u00a0% confidence.`;
  return because ? `${because} ${sure}` : sure;
}

/** "MLII (360 windows), V5 (1)": the leads that windows were judged on; of an earlier version's result all leads. */
export function judgedOn({ windows, leads }) {
  const counts = new Map();
  for (const { lead } of windows) if (lead) counts.set(lead, (counts.get(lead) ?? 0) + 1);
  if (counts.size === 0) return leads.join(", ");
  if (counts.size === 1) return [...counts.keys()][0];
  return [...counts].sort(([, one], [, other]) => other - one).map(([lead, count]) => `${lead} (${count})`).join(", ");
}

/** 140, or 140 to 180. */
export function rateText(rates) {
  const [low, high] = [Math.min(...rates), Math.max(...rates)];
  if (rates.length === 0) return "";
  return low === high ? String(low) : `${low} to ${high}`;
}

/** How many beats of each class: `[[class, count]]`, those that occur; null stands for those that nothing classed. */
export function beatCounts(beats) {
  const counts = new Map(CLASSES.map((each) => [each, 0]));
  let without = 0;
  for (const beat of beats) {
    if (counts.has(beat.class)) counts.set(beat.class, counts.get(beat.class) + 1);
    else without += 1;
  }
  const found = [...counts].filter(([, count]) => count > 0);
  return without ? [...found, [null, without]] : found;
}

/** Findings of one kind together: `[{kind, priority, count, seconds, places, leads, rates}]`, most urgent first. */
export function grouped(findings) {
  const groups = new Map();
  for (const each of findings) {
    const one = groups.get(each.kind) ?? { kind: each.kind, priority: each.priority, count: 0, seconds: 0, places: [], leads: [], rates: [] };
    one.count += 1;
    one.seconds += each.end_s - each.start_s;
    one.places.push(each.start_s);
    if (each.lead && !one.leads.includes(each.lead)) one.leads.push(each.lead);
    if (each.rate_bpm) one.rates.push(Math.round(each.rate_bpm));
    if (byPriority(each, one) < 0) one.priority = each.priority;
    groups.set(each.kind, one);
  }
  return [...groups.values()].sort((one, other) => byPriority(one, other) || one.places[0] - other.places[0]);
}
