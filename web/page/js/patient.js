// One patient: both leads on paper, what was found in them, and their alarms.

import { h } from "./dom.js";

export const title = (route) => `Patient ${route.params.patient}`;

export function mount(root, shell, route) {
  root.append(h("h1", {}, title(route)));
}
