// What is shown when there is nothing to show yet, or not any more.

import { h } from "./dom.js";
import { icon } from "./icons.js";

/** Something is on its way. */
export function loading(what = "Loading") {
  return h("div", { class: "state-note", role: "status" }, h("div", { class: "pulse" }), h("p", {}, `${what}…`));
}

/** There is nothing, and why; children say what to do. */
export function empty(heading, ...children) {
  return h("div", { class: "state-note" }, icon("information", 32), h("h2", {}, heading), children);
}

/** A Problem, and a way to try again. */
export function failure(problem, { retry = null } = {}) {
  const again = retry && h("button", { class: "button", type: "button", onclick: retry }, "Try again");
  const what = problem.title || "That did not work";
  return h(
    "div",
    { class: "state-note state-failure", role: "alert" },
    icon("medium", 32),
    h("h2", {}, what),
    h("p", {}, problem.message === what ? "" : problem.message),
    again,
  );
}
