// What is said over a patient's paper when it is not live.

import { h } from "./dom.js";
import { empty, loading } from "./states.js";

/** Which note; "none" where all is well. `known`: the patient is on the ward; `quiet`: nothing comes of them. */
export function noteOf(live, { known, quiet }) {
  if (live.state === "lagging") return "kafka";
  if (live.state === "lost") return "lost";
  if (!live.caughtUp) return "loading";
  if (!known) return "unknown";
  return quiet ? "silent" : "none";
}

export const NOTES = {
  none: () => null,
  loading: () => loading("Asking how the patient is"),
  kafka: () => h("p", { class: "trouble", role: "status" }, "Kafka does not answer: what is shown is no longer live."),
  lost: (live) => h("p", { class: "trouble", role: "status" }, `Connection lost, trying again: ${live.trouble}`),
  silent: () => h("p", { class: "trouble", role: "status" }, "Nothing comes from this patient's device."),
  unknown: () =>
    empty(
      "Nobody of this name is on the ward",
      h("p", {}, "A patient is known from the first samples on, and for an hour after the last. ", h("a", { href: "/" }, "To the ward")),
    ),
};
