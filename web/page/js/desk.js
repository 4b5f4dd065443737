// The alarm desk.

import { h } from "./dom.js";

export const title = () => "Alarms";

export function mount(root) {
  root.append(h("h1", {}, "Alarms"));
}
