// What lies between two points of the paper. No DOM here.

/** Between two points (`{x, y}`, px; y grows downwards): `{ms, mv, bpm}`; bpm is null for points at one time. */
export function between(one, other, scale) {
  const ms = Math.abs(other.x - one.x) / scale.pxPerMs;
  const mv = (one.y - other.y) / scale.pxPerMv;
  return { ms, mv: one.x <= other.x ? mv : -mv, bpm: ms < 1 ? null : 60_000 / ms };
}

/** In words: `[[unit, value], ...]`. */
export function measured({ ms, mv, bpm }) {
  const rate = bpm === null || bpm > 1000 ? "–" : String(Math.round(bpm));
  return [
    ["ms", String(Math.round(ms))],
    ["/min", rate],
    ["mV", `${mv < 0 ? "−" : ""}${Math.abs(mv).toFixed(2)}`],
  ];
}
