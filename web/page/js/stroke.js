// Draws a stretch of samples that stand still, on canvas. No DOM here.

import { MISSING } from "./frames.js";

/**
 * Draw one lead of a stretch (`{startMs, fsHz, leads, count, values}`) where it lies in a range of time.
 *
 * `x` and `y` take ms and mV to px. Where there are more samples than pixels, each column gets its lowest and highest.
 */
export function strokeLead(context, stretch, lead, { fromMs, toMs, x, y, columns = false }) {
  const { startMs, fsHz, count, values, leads } = stretch;
  const width = leads.length;
  const { gain, baseline } = leads[lead];
  const first = Math.max(0, Math.floor(((fromMs - startMs) * fsHz) / 1000));
  const last = Math.min(count - 1, Math.ceil(((toMs - startMs) * fsHz) / 1000));
  context.beginPath();
  let down = false;
  let before = -Infinity;
  let column = NaN;
  let low = 0;
  let high = 0;
  for (let index = first; index <= last; index++) {
    const value = values[index * width + lead];
    if (value === MISSING) {
      down = false;
      column = NaN;
      continue;
    }
    const at = x(startMs + (index * 1000) / fsHz);
    const height = y((value - baseline) / gain);
    if (columns && Math.floor(at) === column) {
      if (height < low) context.lineTo(at, (low = height));
      else if (height > high) context.lineTo(at, (high = height));
      continue;
    }
    // Where a sweep comes round, the next sample lies at the left edge again: no line leads there.
    if (down && at >= before) context.lineTo(at, height);
    else context.moveTo(at, height);
    down = true;
    before = at;
    column = Math.floor(at);
    low = height;
    high = height;
  }
  context.stroke();
}
