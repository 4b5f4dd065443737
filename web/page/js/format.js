// Numbers, times and words as people read them. No DOM here. Times are ms since 1970.

const TWO = (number) => String(number).padStart(2, "0");

/** 14:03:22 in local time. */
export function clockTime(ms) {
  const at = new Date(ms);
  return `${TWO(at.getHours())}:${TWO(at.getMinutes())}:${TWO(at.getSeconds())}`;
}

/** 14:03:22.417 in local time. */
export function exactTime(ms) {
  const whole = Math.floor(ms);
  return `${clockTime(whole)}.${String(((whole % 1000) + 1000) % 1000).padStart(3, "0")}`;
}

/** 2026-11-21 14:03:22 in local time. */
export function dateTime(ms) {
  const at = new Date(ms);
  return `${at.getFullYear()}-${TWO(at.getMonth() + 1)}-${TWO(at.getDate())} ${clockTime(ms)}`;
}

/** How long: 8 s, 3 min, 2 h 5 min, 4 d. */
export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} d`;
}

/** The moment, and the day where it is not today: "since 14:03:22". */
export function since(ms, now = Date.now()) {
  return `since ${Math.abs(now - ms) < 12 * 3_600_000 ? clockTime(ms) : dateTime(ms)}`;
}

/** 72, or a dash where there is none. */
export function rate(bpm) {
  return bpm === null || bpm === undefined || !Number.isFinite(bpm) ? "–" : String(Math.round(bpm));
}

/** A probability with two places, or a dash. */
export function score(value) {
  return value === null || value === undefined ? "–" : value.toFixed(2);
}

/** "high" to "High"; an alarm of priority "information" sounds nothing. */
export function priorityText(priority) {
  return priority.charAt(0).toUpperCase() + priority.slice(1);
}

const STATES = {
  high: "High alarm",
  medium: "Medium alarm",
  low: "Low alarm",
  information: "Information",
  normal: "Normal",
  unusable: "No usable signal",
  silent: "Silent",
};

/** The state of a patient in words. */
export function stateText(state) {
  return STATES[state] ?? state;
}

/** The same where little room is. */
export function stateName(state) {
  return stateText(state).replace(" alarm", "");
}

export const BEATS = {
  N: "normal",
  S: "supraventricular",
  V: "ventricular",
  F: "fusion",
  Q: "paced or unclassifiable",
};

/** A time of an address: ISO, or decimal ns, or ms; null where it is none. */
export function parseTime(text) {
  if (!text) return null;
  if (/^-?\d+$/.test(text)) {
    const number = Number(text);
    return Math.abs(number) > 1e15 ? Math.round(number / 1e6) : number; // 1e15 ms is the year 33658
  }
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? null : ms;
}
