// Heart rate and scores of the last hour, as they are and as they come. No DOM here.

export const HOUR_MS = 3_600_000;

export class TrendData {
  points = []; // {ms, rate, fused, cnn, autoencoder, decision}, oldest first
  events = []; // {ms, endMs, kind, label, priority}, oldest first

  /** Put in what was fetched. */
  putAll(trends) {
    const known = new Map(this.points.map((point) => [point.ms, point]));
    trends.t_ns.forEach((ns, at) => {
      const ms = ns / 1e6;
      known.set(ms, {
        ms,
        rate: trends.heart_rate_bpm[at],
        fused: trends.fused[at],
        cnn: trends.cnn[at],
        autoencoder: trends.autoencoder[at],
        decision: trends.decision[at],
      });
    });
    this.points = [...known.values()].sort((one, other) => one.ms - other.ms);
  }

  /** Put in a verdict that has come (verdicts.js). */
  put({ startMs, heartRate, fused, cnn, autoencoder, decision }) {
    const last = this.points.at(-1);
    if (last && startMs <= last.ms) return;
    this.points.push({ ms: startMs, rate: heartRate, fused, cnn, autoencoder, decision });
    const oldest = startMs - HOUR_MS;
    if (this.points.length > 1000 || this.points[0].ms < oldest - 60_000) {
      this.points = this.points.filter((point) => point.ms >= oldest);
    }
  }

  /** Put in the events that were fetched. */
  putEvents(events) {
    this.events = events
      .map((event) => ({ ...event, ms: event.t_ns / 1e6, endMs: (event.end_ns ?? event.t_ns) / 1e6 }))
      .sort((one, other) => one.ms - other.ms);
  }

  /** The next event after (+1) or before (-1) a moment; null where there is none. */
  event(ms, direction) {
    const near = 500; // where a jump has led is not jumped to again
    if (direction > 0) return this.events.find((event) => event.ms > ms + near) ?? null;
    return this.events.findLast((event) => event.ms < ms - near) ?? null;
  }

  /** The lowest and the highest heart rate; null where there is none. */
  rates() {
    let low = Infinity;
    let high = -Infinity;
    for (const { rate } of this.points) {
      if (rate === null) continue;
      if (rate < low) low = rate;
      if (rate > high) high = rate;
    }
    return low > high ? null : { low, high };
  }

  /** In words, for who does not see the curves. */
  describe() {
    const rates = this.rates();
    if (rates === null) return "No heart rate within the last hour";
    const abnormal = this.points.filter((point) => point.decision === "abnormal").length;
    const windows = `${abnormal} of ${this.points.length} windows abnormal`;
    return `Heart rate within the last hour from ${Math.round(rates.low)} to ${Math.round(rates.high)}; ${windows}`;
  }
}
