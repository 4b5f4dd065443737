// Marks on ECG paper: beats by their class, abnormal windows with their reason, times.

import { clockTime } from "./format.js";

const CLASSES = ["N", "S", "V", "F", "Q"];
const BEATS_Y = 9; // middle of the row of beats, px
const REASON_Y = 26; // middle of the row of reasons
const TIME_PX = 58; // what a time needs to its left
const CROWDED_PX = 13; // beats closer than this are drawn without their letter

/**
 * Draw a verdict. `place` says where a time lies: `x(ms)`, and `pieces(fromMs, toMs)`: `[[x, x], ...]`, as what is
 * swept may go over the right edge and on at the left.
 */
export function drawVerdict(sheet, place, verdict) {
  if (verdict.decision !== "normal") shade(sheet, place, verdict);
  let before = -Infinity;
  for (const beat of verdict.beats) {
    for (const [x] of place.pieces(beat.ms, beat.ms + 1)) {
      drawBeat(sheet, x, beat.kind, x - before > CROWDED_PX);
      before = x;
    }
  }
}

function shade(sheet, place, verdict) {
  const { marks, colours } = sheet;
  const unusable = verdict.decision === "unusable";
  const others = verdict.reasons.filter((reason) => !/\bscore\b/.test(reason)); // those stand in the card
  const text = (others.length ? others : verdict.reasons).join(", ") || (unusable ? "no usable signal" : "abnormal");
  for (const [from, to] of place.pieces(verdict.startMs, verdict.endMs)) {
    const width = to - from;
    if (unusable) {
      hatch(sheet, from, width);
    } else {
      marks.fillStyle = colours.shade;
      marks.fillRect(from, REASON_Y - 10, width, sheet.layout.foot - REASON_Y + 10);
      marks.fillStyle = colours["shade-edge"];
      marks.fillRect(from, REASON_Y - 10, width, 2);
      marks.fillRect(from, REASON_Y - 10, 1, sheet.layout.foot - REASON_Y + 10);
    }
    label(sheet, text, from + 6, width - 10, REASON_Y);
  }
}

function hatch(sheet, from, width) {
  const { marks, colours } = sheet;
  const top = REASON_Y - 10;
  const height = sheet.layout.foot - top;
  marks.save();
  marks.beginPath();
  marks.rect(from, top, width, height);
  marks.clip();
  marks.strokeStyle = colours["ink-dim"];
  marks.globalAlpha = 0.5;
  marks.lineWidth = 1;
  marks.beginPath();
  for (let x = from - height; x < from + width; x += 14) {
    marks.moveTo(x, top + height);
    marks.lineTo(x + height, top);
  }
  marks.stroke();
  marks.restore();
}

function label(sheet, text, x, room, y) {
  const { marks, colours } = sheet;
  if (room < 24) return;
  marks.font = sheet.font(11.5);
  marks.textBaseline = "middle";
  marks.textAlign = "left";
  let shown = text;
  while (shown.length > 1 && marks.measureText(shown === text ? shown : `${shown}…`).width > room) shown = shown.slice(0, -1);
  marks.fillStyle = colours.text;
  marks.fillText(shown === text ? shown : `${shown}…`, x, y + 1);
}

/** A beat: its letter and, for all but normal ones, a shape. */
export function drawBeat(sheet, x, kind, roomy) {
  const { marks, colours } = sheet;
  const known = CLASSES.includes(kind) ? kind : "Q";
  marks.fillStyle = colours[`beat-${known.toLowerCase()}`];
  if (roomy) {
    marks.font = sheet.font(known === "N" ? 10.5 : 12, known === "N" ? 500 : 800);
    marks.textAlign = "center";
    marks.textBaseline = "middle";
    marks.fillText(kind ?? "?", x, BEATS_Y - 1);
  }
  marks.beginPath();
  shape(marks, known, x, roomy ? BEATS_Y + 8 : BEATS_Y, roomy ? 3 : 4);
  marks.fill();
}

function shape(marks, kind, x, y, r) {
  if (kind === "N") {
    marks.arc(x, y, r * 0.6, 0, 2 * Math.PI);
  } else if (kind === "S") {
    marks.moveTo(x, y - r);
    marks.lineTo(x + r * 1.2, y + r);
    marks.lineTo(x - r * 1.2, y + r);
  } else if (kind === "V") {
    marks.moveTo(x, y + r);
    marks.lineTo(x + r * 1.2, y - r);
    marks.lineTo(x - r * 1.2, y - r);
  } else if (kind === "F") {
    marks.moveTo(x, y - r * 1.2);
    marks.lineTo(x + r * 1.2, y);
    marks.lineTo(x, y + r * 1.2);
    marks.lineTo(x - r * 1.2, y);
  } else {
    marks.rect(x - r, y - r, 2 * r, 2 * r);
  }
}

/** The time below a moment: each second a tick, each fifth with its time, which ends there: what comes is not known. */
export function drawTick(sheet, x, ms) {
  const { marks, colours, layout } = sheet;
  const second = Math.round(ms / 1000);
  const every = sheet.scale.mmPerS < 10 ? 10 : 5;
  const tall = second % every === 0;
  marks.fillStyle = colours.quiet;
  marks.fillRect(Math.round(x), layout.foot, 1, tall ? 6 : 3);
  if (!tall || x < TIME_PX) return;
  marks.font = sheet.font(11, 500);
  marks.textAlign = "right";
  marks.textBaseline = "alphabetic";
  marks.fillText(clockTime(second * 1000), x - 4, layout.foot + 14);
}
