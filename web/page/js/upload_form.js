// Choosing files and what has to be told with them, and sending them.

import { get } from "./api.js";
import { NOTHING_KNOWN, accepted, kindsText, mayBeBeats, mayNotSay, recordings, size } from "./chosen_files.js";
import { h, replace, say } from "./dom.js";
import { icon } from "./icons.js";
import { Questionnaire } from "./questionnaire.js";
import { send } from "./send.js";

const UNITS = { "": "As the file says, else mV", mV: "mV", uV: "µV", V: "V", adc: "ADC units" };

export class UploadForm {
  #files = [];
  #known = NOTHING_KNOWN; // formats, once the server has told them

  constructor({ signal, began, scored, beats, failed }) {
    this.signal = signal;
    this.on = { began, scored, beats, failed };
    this.questionnaire = new Questionnaire();
    this.#build();
    this.#show();
    this.#readFormats();
  }

  /** Open the browser's own dialog. */
  choose() {
    this.input.click();
  }

  #build() {
    this.input = h("input", { type: "file", id: "upload-files", multiple: true, class: "unseen" });
    this.input.addEventListener("change", () => {
      this.#add(this.input.files);
      this.input.value = ""; // the same file may be chosen again after it was mended
    });
    this.taken = h("span", { class: "quiet" });
    this.drop = h(
      "label",
      { class: "drop", for: "upload-files" },
      icon("upload", 36),
      h("b", {}, "Drop files here, or choose them"),
      this.taken,
    );
    this.#dropping();
    this.list = h("ul", { class: "chosen" });
    this.rate = h("input", { id: "upload-fs", type: "number", min: 100, max: 1000, step: "any", inputmode: "decimal" });
    this.leads = h("input", { id: "upload-leads", type: "text", placeholder: "MLII, V5", autocomplete: "off" });
    this.unit = h("select", { id: "upload-unit" }, Object.entries(UNITS).map(([value, label]) => h("option", { value }, label)));
    const field = (id, label, control) => h("div", { class: "field" }, h("label", { for: id }, label), control);
    const what = (value, label) => h("label", { class: "tick" }, h("input", { type: "radio", name: "what", value, checked: value === "recording", onchange: () => this.#show() }), label);
    this.what = h("fieldset", { class: "what" }, h("legend", {}, "What the files hold"), what("recording", "A recording"), what("beats", "Single beats of 140 samples, as in ECG5000"));
    this.reading = h(
      "fieldset",
      { class: "reading" },
      h("legend", {}, "Where the file does not say it"),
      field("upload-fs", "Sampling rate, Hz", this.rate),
      field("upload-leads", "Leads", this.leads),
      field("upload-unit", "Unit", this.unit),
    );
    this.person = h("details", { class: "person" }, h("summary", {}, "About the person (may be left out)"), this.questionnaire.node);
    this.go = h("button", { class: "button button-main", type: "submit" }, "Score");
    this.bar = h("progress", { max: 1, "aria-label": "Sending" });
    this.doing = h("span", { role: "status" });
    this.stop = h("button", { class: "button button-small", type: "button" }, "Give up");
    this.progress = h("div", { class: "progress", hidden: true }, this.bar, this.doing, this.stop);
    this.node = h(
      "form",
      { class: "card upload-form", "aria-label": "Files", onsubmit: (event) => this.#submit(event) },
      this.input,
      this.drop,
      this.list,
      this.what,
      this.reading,
      this.person,
      h("div", { class: "go" }, this.go, this.progress),
    );
  }

  async #readFormats() {
    try {
      this.#known = await get("/formats", {}, { signal: this.signal });
    } catch (error) {
      if (error.name !== "AbortError") this.on.failed(error);
      return;
    }
    this.input.accept = accepted(this.#known);
    say(this.taken, `${kindsText(this.#known)}. Several at once if you like.`);
    this.#show();
  }

  #dropping() {
    const over = (is) => this.drop.classList.toggle("over", is);
    this.drop.addEventListener("dragover", (event) => {
      event.preventDefault();
      over(true);
    });
    this.drop.addEventListener("dragleave", () => over(false));
    this.drop.addEventListener("drop", (event) => {
      event.preventDefault();
      over(false);
      this.#add(event.dataTransfer.files);
    });
  }

  #add(files) {
    for (const file of files) {
      this.#files = this.#files.filter((each) => each.name !== file.name);
      this.#files.push(file);
    }
    this.#show();
  }

  get #beats() {
    return mayBeBeats(this.#files, this.#known) && this.node.elements.what.value === "beats";
  }

  #show() {
    const found = recordings(this.#files, this.#known);
    replace(this.list, found.map((one) => this.#entry(one)));
    this.what.hidden = !mayBeBeats(this.#files, this.#known);
    this.reading.hidden = !mayNotSay(this.#files, this.#known) || this.#beats;
    this.person.hidden = this.#beats;
    const able = found.filter((one) => one.problem === null).length;
    this.go.disabled = able === 0;
    say(this.go, able > 1 ? `Score ${able} recordings` : this.#beats ? "Score the beats" : "Score");
  }

  #entry(one) {
    const away = h("button", { class: "tool", type: "button", "aria-label": `Leave out ${one.name}` }, icon("close", 16));
    away.addEventListener("click", () => {
      this.#files = this.#files.filter((each) => !one.files.includes(each));
      this.#show();
      this.input.focus();
    });
    const parts = one.files.length > 1 ? `${one.files.map((file) => file.name).join(" + ")}, ` : "";
    return h(
      "li",
      { class: one.problem ? "failed" : null },
      h("span", { class: "name" }, one.name),
      h("span", { class: one.problem ? "problem" : "quiet" }, one.problem ?? `${parts}${size(one.bytes)}`),
      away,
    );
  }

  async #submit(event) {
    event.preventDefault();
    const beats = this.#beats;
    const form = this.#form(beats);
    const leave = new AbortController();
    this.stop.onclick = () => leave.abort();
    this.#busy(true);
    this.on.began();
    try {
      const answer = await send(beats ? "/score/beats" : "/score", form, {
        signal: AbortSignal.any([leave.signal, this.signal]),
        progress: (share) => this.#progress(share),
      });
      const [first] = this.#files;
      this.#files = [];
      if (beats) this.on.beats(answer, first.name);
      else this.on.scored(answer);
    } catch (error) {
      if (error.name !== "AbortError") this.on.failed(error);
    } finally {
      this.#busy(false);
      this.#show();
    }
  }

  #form(beats) {
    const form = new FormData();
    for (const one of recordings(this.#files, this.#known)) {
      if (one.problem === null) for (const file of one.files) form.append("files", file, file.name);
    }
    if (beats) return form;
    const put = (name, value) => value && form.append(name, value);
    if (!this.reading.hidden) {
      put("fs_hz", this.rate.value);
      put("leads", this.leads.value.trim());
      put("unit", this.unit.value);
    }
    const details = this.questionnaire.read();
    if (Object.keys(details).length) form.append("questionnaire", JSON.stringify(details));
    return form;
  }

  #busy(is) {
    this.progress.hidden = !is;
    this.go.hidden = is;
    if (is) this.#progress(0);
  }

  #progress(share) {
    if (share < 1) {
      this.bar.value = share;
      say(this.doing, `Sending, ${Math.round(share * 100)} %`);
    } else {
      this.bar.removeAttribute("value"); // it moves, and promises no end
      say(this.doing, "Scoring…");
    }
  }
}
