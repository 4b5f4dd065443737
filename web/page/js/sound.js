// The sound of alarms, and notifications of the browser: what the most urgent alarm that nobody has answered asks for.
//
// Browsers let a page sound only after somebody has touched it. So sound is turned on by a button; it is remembered, and
// after the page was loaded anew the first touch of anything lets it go on. Until then the button says that it waits.

import { burst, every, loud } from "./bursts.js";
import { h, mark, replace } from "./dom.js";
import { priorityText } from "./format.js";
import { icon } from "./icons.js";
import { PROMPT, byPriority } from "./order.js";
import { soundDialog, soundText } from "./sound_dialog.js";

const KEPT = "ecgstream.sound";
const SOUNDING = new Set(["active", "latched"]); // neither acknowledged nor silenced
const SHORT_MUTE_MIN = 2; // by the key
const PARTIALS = [0, 1, 0.7, 0.5, 0.35, 0.25, 0.15]; // at least four harmonics: a pulse is found by ear, and not masked

/** Alarms as sound. Tells "change" when it is turned on or off, muted, or begins or ceases to wait for a touch. */
class Sound extends EventTarget {
  #audio = null;
  #heard = null; // of each alarm that sounds, its priority; null before the first look
  #last = -Infinity; // when the last burst began
  #kept = read();

  constructor(shell) {
    super();
    this.shell = shell;
    this.notice = new Notice(shell, this.#kept, () => this.#keep());
    shell.live.addEventListener("alarms", () => this.#compare());
    setInterval(() => this.#tick(), 500);
    for (const touch of ["pointerdown", "keydown"]) addEventListener(touch, () => this.#touched(), { capture: true });
  }

  /** "off", "waits" for a touch, "muted" or "on". */
  get state() {
    if (!this.#kept.on) return "off";
    if (this.mutedUntil !== null) return "muted";
    return this.#audio?.state === "running" ? "on" : "waits";
  }

  /** When the sound comes back, ms; null when it is not muted. */
  get mutedUntil() {
    return this.#kept.mutedUntil > Date.now() ? this.#kept.mutedUntil : null;
  }

  get volume() {
    return this.#kept.volume;
  }

  set volume(value) {
    this.#kept.volume = value;
    this.#keep();
  }

  turn(on) {
    this.#kept.on = on;
    this.#kept.mutedUntil = 0;
    if (on) this.#touched();
    this.#keep();
    this.#tick();
  }

  mute(minutes) {
    this.#kept.mutedUntil = minutes ? Date.now() + minutes * 60_000 : 0;
    this.#keep();
    this.#tick();
  }

  /** One burst, to hear what it is like; whatever is muted. */
  async try(priority) {
    await this.#start();
    this.#play(priority, "physiological");
  }

  #keep() {
    try {
      localStorage.setItem(KEPT, JSON.stringify(this.#kept));
    } catch {
      // Then it lasts as long as the page.
    }
    this.dispatchEvent(new Event("change"));
  }

  #touched() {
    if (this.#kept.on && this.#audio?.state !== "running") this.#start();
  }

  async #start() {
    this.#audio ??= new AudioContext();
    if (this.#audio.state !== "running") await this.#audio.resume();
    this.dispatchEvent(new Event("change"));
    this.#tick();
  }

  /** The alarm that sounds: the most urgent that nobody has answered. */
  #sounding() {
    const sounding = this.shell.live.openAlarms().filter((each) => SOUNDING.has(each.state) && loud(each.priority));
    return sounding.sort(byPriority);
  }

  #compare() {
    const sounding = this.#sounding();
    const fresh = this.#heard && sounding.filter((each) => more(each, this.#heard.get(each.id)));
    if (fresh?.length) {
      this.notice.announce(fresh);
      if (fresh.some((each) => each.priority === sounding[0].priority)) this.#last = -Infinity; // at once
    }
    if (this.shell.live.caughtUp) this.#heard = new Map(sounding.map((each) => [each.id, each.priority]));
    this.#tick();
  }

  #tick() {
    const state = this.state;
    if (state !== this.announced) {
      this.announced = state;
      this.dispatchEvent(new Event("change"));
    }
    if (state !== "on") return;
    const [first] = this.#sounding();
    if (!first) return;
    if (performance.now() - this.#last < every(first.priority) * 1000) return;
    this.#last = performance.now();
    this.#play(first.priority, first.kind);
  }

  #play(priority, kind) {
    const audio = this.#audio;
    const wave = audio.createPeriodicWave(new Float32Array(PARTIALS.length), Float32Array.from(PARTIALS));
    const from = audio.currentTime + 0.05;
    for (const pulse of burst(priority, kind)) {
      const tone = new OscillatorNode(audio, { type: "custom", periodicWave: wave, frequency: pulse.hz });
      const level = new GainNode(audio, { gain: 0 });
      const at = from + pulse.at;
      const edge = pulse.for * 0.15; // the standard's rise: a click is not a pulse
      level.gain.setValueAtTime(0, at);
      level.gain.linearRampToValueAtTime(this.volume, at + edge);
      level.gain.setValueAtTime(this.volume, at + pulse.for - edge);
      level.gain.linearRampToValueAtTime(0, at + pulse.for);
      tone.connect(level).connect(audio.destination);
      tone.start(at);
      tone.stop(at + pulse.for);
    }
  }
}

/** Notifications of the browser, for alarms that come while the page is not looked at. */
class Notice {
  constructor(shell, kept, keep) {
    this.shell = shell;
    this.kept = kept;
    this.keep = keep;
  }

  get possible() {
    return "Notification" in globalThis;
  }

  get on() {
    return this.possible && this.kept.notify && Notification.permission === "granted";
  }

  /** Turn them on, which asks for the browser's permission, or off; whether they are. */
  async turn(on) {
    if (on && Notification.permission !== "granted") await Notification.requestPermission();
    this.kept.notify = on && Notification.permission === "granted";
    this.keep();
    return this.on;
  }

  set names(allowed) {
    this.kept.names = allowed;
    this.keep();
  }

  get names() {
    return this.kept.names;
  }

  announce(alarms) {
    if (!this.on || document.hasFocus()) return;
    for (const alarm of alarms.filter((each) => PROMPT.has(each.priority))) {
      // A notification lies on screens that others see, too: who it is about stands there only if the user said so.
      const body = this.names ? `Patient ${alarm.patient}` : "Open the alarm desk to see whose.";
      const tag = this.names ? alarm.id : undefined; // the id names the patient
      const note = new Notification(`${priorityText(alarm.priority)} alarm: ${alarm.label}`, { body, tag });
      note.addEventListener("click", () => {
        window.focus();
        this.shell.navigate(`/alarms?id=${encodeURIComponent(alarm.id)}`);
        note.close();
      });
    }
  }
}

function more(alarm, before) {
  return before === undefined || byPriority(alarm, { priority: before }) < 0;
}

function read() {
  const usual = { on: false, mutedUntil: 0, volume: 0.5, notify: false, names: false };
  try {
    return { ...usual, ...JSON.parse(localStorage.getItem(KEPT) ?? "{}") };
  } catch {
    return usual;
  }
}

let only = null;

/** The page's sound, once it has a shell. */
export const sound = () => only;

/** The button of the bar; it opens the settings. */
export function soundButton(shell) {
  only = new Sound(shell);
  const button = h("button", { class: "tool sound", type: "button", "aria-haspopup": "dialog" });
  button.addEventListener("click", () => soundDialog(only));
  const show = () => {
    replace(button, icon(only.state === "on" ? "sound" : "muted"));
    button.dataset.state = only.state;
    mark(button, "aria-label", `${soundText(only)}. Sound settings`);
    mark(button, "title", soundText(only));
  };
  only.addEventListener("change", show);
  show();
  shell.keys.on("m", `mute the sound for ${SHORT_MUTE_MIN} minutes, or end that`, () => {
    only.mute(only.mutedUntil === null ? SHORT_MUTE_MIN : 0);
    shell.toast(soundText(only));
  });
  return button;
}
