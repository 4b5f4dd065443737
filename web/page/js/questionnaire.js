// What is known of the person behind a recording; all of it may be left out.

import { h } from "./dom.js";

const SEXES = { "": "Not told", female: "Female", male: "Male", other: "Other" };
const TEXTS = { symptoms: "Symptoms", medication: "Medication", history: "Earlier illnesses" };

/** The fields; `read` gives what was told, `{}` for nothing. */
export class Questionnaire {
  constructor(told = {}) {
    this.age = h("input", { id: "q-age", type: "number", min: 0, max: 130, step: 1, inputmode: "numeric", value: told.age ?? "" });
    this.sex = h("select", { id: "q-sex" }, Object.entries(SEXES).map(([value, words]) => h("option", { value }, words)));
    this.sex.value = told.sex ?? "";
    this.texts = Object.fromEntries(
      Object.keys(TEXTS).map((name) => {
        const area = h("textarea", { id: `q-${name}`, rows: 2, maxlength: 2000 });
        area.value = told[name] ?? "";
        return [name, area];
      }),
    );
    const field = (id, label, control) => h("div", { class: "field" }, h("label", { for: id }, label), control);
    this.node = h(
      "div",
      { class: "questionnaire" },
      field("q-age", "Age, years", this.age),
      field("q-sex", "Sex", this.sex),
      Object.entries(TEXTS).map(([name, label]) => field(`q-${name}`, label, this.texts[name])),
    );
  }

  /** What is told; a field that is left empty is left out. */
  read() {
    const told = {};
    if (this.age.value !== "") told.age = Number(this.age.value);
    if (this.sex.value) told.sex = this.sex.value;
    for (const [name, area] of Object.entries(this.texts)) if (area.value.trim()) told[name] = area.value.trim();
    return told;
  }
}

/** What was told, as `[label, words]`. */
export function answers(told) {
  const rows = [
    ["Age", told.age === null || told.age === undefined ? null : `${told.age} years`],
    ["Sex", told.sex && (SEXES[told.sex] ?? told.sex)],
    ...Object.entries(TEXTS).map(([name, label]) => [label, told[name]]),
  ];
  return rows.filter(([, words]) => words);
}
