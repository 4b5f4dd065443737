// The ward: a tile for each patient.

import { h } from "./dom.js";

export const title = () => "Ward";

export function mount(root) {
  root.append(h("h1", {}, "Ward"));
}
