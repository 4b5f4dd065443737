// The settings of sound and notifications, and what they are in words.

import { h, replace } from "./dom.js";
import { clockTime, priorityText } from "./format.js";
import { icon } from "./icons.js";
import { SOUNDING } from "./order.js";

const MUTES_MIN = [1, 2, 5, 15];

/** The state of the sound in words. */
export function soundText(of) {
  return {
    off: "Sound off",
    waits: "Sound waits for a click: the browser asks for one",
    muted: `Muted until ${clockTime(of.mutedUntil ?? 0)}`,
    on: "Sound on",
  }[of.state];
}

/** Show the settings; `of` is the page's sound. */
export function soundDialog(of) {
  const state = h("p", { class: "sound-state", role: "status" });
  const close = h("button", { class: "tool", type: "button", "aria-label": "Close" }, icon("close"));
  const turn = h("button", { class: "button", type: "button", onclick: () => of.turn(of.state === "off") });
  const mutes = MUTES_MIN.map((minutes) =>
    h("button", { class: "button", type: "button", onclick: () => of.mute(minutes) }, `${minutes} min`),
  );
  const unmute = h("button", { class: "button", type: "button", onclick: () => of.mute(0) }, "Sound again");
  const muting = h("div", { class: "sound-row", role: "group", "aria-label": "Mute for" }, h("span", {}, "Mute for:"), mutes, unmute);
  const volume = h("input", { type: "range", id: "sound-volume", min: 0.1, max: 1, step: 0.05, value: of.volume });
  volume.addEventListener("change", () => (of.volume = Number(volume.value)));
  const tries = SOUNDING.map((priority) =>
    h("button", { class: "button", type: "button", onclick: () => of.try(priority) }, priorityText(priority)),
  );
  const show = () => {
    replace(state, icon(of.state === "on" ? "sound" : "muted"), ` ${soundText(of)}`);
    replace(turn, of.state === "off" ? "Turn sound on" : "Turn sound off");
    muting.hidden = of.state === "off";
    unmute.hidden = of.mutedUntil === null;
  };
  const dialog = h(
    "dialog",
    { class: "dialog sound-dialog", "aria-labelledby": "sound-title" },
    h("header", {}, h("h2", { id: "sound-title" }, "Sound of alarms"), close),
    state,
    h("div", { class: "sound-row" }, turn),
    muting,
    h("label", { for: "sound-volume" }, "Volume"),
    volume,
    h("div", { class: "sound-row", role: "group", "aria-label": "Hear an example" }, h("span", {}, "Hear:"), tries),
    h(
      "p",
      { class: "quiet" },
      "The most urgent alarm sounds until somebody acknowledges or silences it. Muting is for this browser alone; " +
        "silencing, on the alarm desk, is for all. A browser lets a page sound only after you have touched it: after " +
        "reloading the page, click or press any key once.",
    ),
    notifications(of.notice),
  );
  of.addEventListener("change", show);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    of.removeEventListener("change", show);
    dialog.remove();
  });
  show();
  document.body.append(dialog);
  dialog.showModal();
}

function notifications(notice) {
  if (!notice.possible) return h("p", { class: "quiet" }, "This browser has no notifications.");
  const status = h("p", { class: "quiet", role: "status" });
  const notify = h("input", { type: "checkbox", id: "sound-notify" });
  const names = h("input", { type: "checkbox", id: "sound-names" });
  notify.checked = notice.on;
  names.checked = notice.names;
  names.disabled = !notice.on;
  notify.addEventListener("change", async () => {
    const asked = notify.checked;
    notify.checked = await notice.turn(asked);
    names.disabled = !notify.checked;
    const refused = asked && !notify.checked;
    status.textContent = refused ? "The browser does not allow it: change that in its settings for this address." : "";
  });
  names.addEventListener("change", () => (notice.names = names.checked));
  return h(
    "fieldset",
    {},
    h("legend", {}, "Notifications"),
    h("label", { class: "tick" }, notify, "Notify me of high and medium alarms while I am elsewhere"),
    h("label", { class: "tick" }, names, "Show the patient's name in them: others may see the screen"),
    status,
  );
}
