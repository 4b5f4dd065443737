// What stays around every view: navigation, connection, clock, theme, sound, the alarm banner, help.

import { waits } from "./alarm_text.js";
import { get, post, remove, session } from "./api.js";
import { Banner } from "./banner.js";
import { h, mark, replace, say } from "./dom.js";
import { clockTime } from "./format.js";
import { help } from "./help.js";
import { icon } from "./icons.js";
import { Keys } from "./keys.js";
import { soundButton } from "./sound.js";
import { nextTheme, theme } from "./theme.js";

const TOAST_MS = 6000;
const CONNECTIONS = {
  connecting: "Connecting",
  live: "Live",
  catching: "Catching up",
  lagging: "Kafka does not answer",
  lost: "Connection lost",
  off: "Signed out",
};

/**
 * The shell. Views get it in `mount` and use:
 *
 * `live`      patients, alarms and samples as they come (stream.js)
 * `keys`      keyboard shortcuts: `keys.on("n", "next event", fn)` returns what takes it back
 * `user`      `{name, role}` or null; `may("responder")` says whether they may
 * `navigate`  to another address of the page
 * `announce`  words for screen readers, now
 * `toast`     a short note that goes by itself
 */
export class Shell {
  constructor(live, navigate) {
    this.live = live;
    this.navigate = navigate;
    this.keys = new Keys();
    this.user = null;
    this.#build();
    this.banner = new Banner(document.getElementById("banner"), this);
    live.addEventListener("state", () => this.#connection());
    live.addEventListener("alarms", () => this.#count());
    this.keys.on("?", "show the keyboard shortcuts", () => help(this.keys));
    this.keys.on("g w", "go to the ward", () => navigate("/"));
    this.keys.on("g a", "go to the alarms", () => navigate("/alarms"));
    this.keys.on("g u", "go to upload", () => navigate("/upload"));
    this.keys.on("t", "change between dark and light", () => this.#changeTheme());
    setInterval(() => this.#tick(), 1000);
    this.#tick();
    this.#connection();
    this.#count();
  }

  /** Whether who is signed in may do what a role may. */
  may(role) {
    const roles = ["viewer", "responder", "admin"];
    return this.user !== null && roles.indexOf(this.user.role) >= roles.indexOf(role);
  }

  /** Who is signed in. */
  me(user) {
    this.user = user;
    this.#showUser();
    this.live.dispatchEvent(new Event("user"));
  }

  /** A view is shown: mark its link. */
  arrived(route) {
    this.keys.leave();
    for (const link of this.links.querySelectorAll("a")) {
      const here = link.dataset.for.split(" ").includes(route.name);
      mark(link, "aria-current", here ? "page" : null);
    }
    document.body.dataset.view = route.name;
  }

  announce(text) {
    const said = document.getElementById("said");
    said.textContent = "";
    requestAnimationFrame(() => (said.textContent = text));
  }

  toast(text, { kind = "done" } = {}) {
    const drawn = icon(kind === "failed" ? "medium" : "check", 18);
    const note = h("div", { class: `toast toast-${kind}` }, drawn, h("span", {}, text));
    document.getElementById("toasts").append(note);
    setTimeout(() => note.remove(), TOAST_MS);
  }

  #build() {
    const link = (href, name, text, views) =>
      h("a", { href, "data-for": views }, icon(name), h("span", { class: "label" }, text));
    this.count = h("span", { class: "count", hidden: true });
    const desk = link("/alarms", "bell", "Alarms", "desk");
    desk.append(this.count);
    const ward = link("/", "ward", "Ward", "ward patient");
    this.links = h("nav", { "aria-label": "Main" }, ward, desk, link("/upload", "upload", "Upload", "upload recording"));
    this.state = h("span", { class: "connection", role: "status" }, h("i", { class: "dot" }), h("span", {}));
    this.clock = h("time", { class: "clock" });
    this.themeButton = h("button", { class: "tool", type: "button", onclick: () => this.#changeTheme() });
    const helpButton = h(
      "button",
      { class: "tool", type: "button", "aria-label": "Help and shortcuts", onclick: () => help(this.keys) },
      icon("help"),
    );
    this.userBox = h("span", { class: "user" });
    const brand = h(
      "a",
      { class: "brand", href: "/", "data-for": "", "aria-label": "ecgstream, to the ward" },
      h("img", { src: "/assets/icon.svg", alt: "", width: 26, height: 26 }),
      h("span", {}, "ecgstream"),
    );
    const notice = h("span", { class: "notice" }, "Not a medical device");
    const tools = h("div", { class: "tools" }, soundButton(this), this.themeButton, helpButton, this.userBox);
    const bar = document.getElementById("bar");
    replace(bar, brand, this.links, h("div", { class: "gap" }), notice, this.state, this.clock, tools);
    this.#showTheme();
  }

  #tick() {
    say(this.clock, clockTime(Date.now()));
  }

  #connection() {
    const state = this.live.state;
    this.state.dataset.state = state;
    say(this.state.lastChild, CONNECTIONS[state]);
    mark(this.state, "title", this.live.trouble || CONNECTIONS[state]);
  }

  #count() {
    const waiting = this.live.openAlarms().filter(waits);
    say(this.count, String(waiting.length));
    this.count.hidden = waiting.length === 0;
    this.count.dataset.priority = waiting[0]?.priority ?? "";
    const link = this.count.parentElement;
    mark(link, "aria-label", `Alarms, ${waiting.length} to be answered`);
  }

  #changeTheme() {
    nextTheme();
    this.#showTheme();
  }

  #showTheme() {
    const now = theme();
    const names = { system: "as the system", dark: "dark", light: "light" };
    replace(this.themeButton, icon({ system: "system", dark: "moon", light: "sun" }[now]));
    mark(this.themeButton, "aria-label", `Theme: ${names[now]}`);
    mark(this.themeButton, "title", `Theme: ${names[now]} (T)`);
  }

  async #showUser() {
    const auth = await get("/session").catch(() => ({ auth: "off" }));
    if (this.user === null || auth.auth === "off") {
      replace(this.userBox);
      return;
    }
    const out = h("button", { class: "tool", type: "button", "aria-label": "Sign out", title: "Sign out" }, icon("leave"));
    out.addEventListener("click", async () => {
      await remove("/session").catch(() => null);
      this.user = null;
      replace(this.userBox);
      session.dispatchEvent(new Event("signed-out"));
    });
    replace(this.userBox, h("span", { class: "name" }, this.user.name), out);
  }
}
