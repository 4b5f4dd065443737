// Icons: drawn here, so that nothing is fetched. States differ by shape as well as by colour.

import { svg } from "./dom.js";

const PATHS = {
  // states
  high: "M8 2h8l6 6v8l-6 6H8l-6-6V8zM12 6.5v7M12 17v.5",
  medium: "M12 3 22 20.5H2zM12 9.5v5M12 17.2v.3",
  low: "M12 2 22 12 12 22 2 12zM12 7.5v5.5M12 16v.3",
  information: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zM12 11v6M12 7v.3",
  normal: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zM7.5 12.3l3 3 6-6.3",
  unusable: "M3 3h18v18H3zM8 8l8 8M16 8l-8 8",
  silent: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zM7 12h10",
  // the shell
  ward: "M3 4h8v7H3zM13 4h8v7h-8zM3 13h8v7H3zM13 13h8v7h-8z",
  bell: "M6 16V10a6 6 0 0 1 12 0v6l2 2.5H4zM10 21h4",
  upload: "M12 16V4M7 9l5-5 5 5M4 16v4h16v-4",
  sun: "M12 7a5 5 0 1 0 0 10 5 5 0 0 0 0-10zM12 1.5v2M12 20.5v2M1.5 12h2M20.5 12h2M4.6 4.6 6 6M18 18l1.4 1.4M4.6 19.4 6 18M18 6l1.4-1.4",
  moon: "M20 14.5A8.5 8.5 0 1 1 9.5 4a7 7 0 0 0 10.5 10.5z",
  system: "M3 4h18v12H3zM9 20h6M12 16v4",
  sound: "M4 9.5v5h4l5 4.5V5L8 9.5zM16.5 9a4 4 0 0 1 0 6M19 6.5a8 8 0 0 1 0 11",
  muted: "M4 9.5v5h4l5 4.5V5L8 9.5zM16.5 9.5l5 5M21.5 9.5l-5 5",
  help: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zM9.3 9.3a2.8 2.8 0 1 1 4 2.5c-.9.5-1.3 1-1.3 2M12 17v.3",
  leave: "M10 4H4v16h6M15 8l4 4-4 4M9 12h10",
  pause: "M8 5v14M16 5v14",
  play: "M7 4.5v15l12-7.5z",
  previous: "M14.5 5l-7 7 7 7",
  next: "M9.5 5l7 7-7 7",
  live: "M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM6.5 6.5a8 8 0 0 0 0 11M17.5 6.5a8 8 0 0 1 0 11",
  caliper: "M6 3v18M18 3v18M6 12h12M9 9l-3 3 3 3M15 9l3 3-3 3",
  download: "M12 4v12M7 11l5 5 5-5M4 20h16",
  check: "M4 12.5l5 5L20 6.5",
  close: "M5 5l14 14M19 5 5 19",
  ruler: "M2 8h20v8H2zM6 8v3M10 8v4M14 8v3M18 8v4",
};

/** An icon by its name; hidden from screen readers: words stand beside it. */
export function icon(name, size = 20) {
  const drawn = svg("path", { d: PATHS[name] });
  const properties = { class: `icon icon-${name}`, viewBox: "0 0 24 24", width: size, height: size };
  return svg("svg", { ...properties, "aria-hidden": "true", focusable: "false" }, drawn);
}
