// What is known of the person behind a recording; all of it may be left out.

import { h } from "./dom.js";

const SEXES = { "": "Not given", female: "Female", male: "Male", other: "Other" };
const TEXTS = { symptoms: "Symptoms", medication: "Medication", history: "Earlier illnesses" };

/** The fields; `read` gives what was told, `{}` for nothing. */
export class Questionnaire {
  constructor(details = {}) {
    this.age = h("input", { id: "q-age", type: "number", min: 0, max: 130, step: 1, inputmode: "numeric", value: details.age ?? "" });
    this.sex = h("select", { id: "q-sex" }, Object.entries(SEXES).map(([value, label]) => h("option", { value }, label)));
    this.sex.value = details.sex ?? "";
    this.texts = Object.fromEntries(
      Object.keys(TEXTS).map((name) => {
        const area = h("textarea", { id: `q-${name}`, rows: 2, maxlength: 2000 });
        area.value = details[name] ?? "";
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
    const details = {};
    if (this.age.value !== "") details.age = Number(this.age.value);
    if (this.sex.value) details.sex = this.sex.value;
    for (const [name, area] of Object.entries(this.texts)) if (area.value.trim()) details[name] = area.value.trim();
    return details;
  }
}

/** Details as rows, `[label, value]`. */
export function answers(details) {
  const rows = [
    ["Age", details.age === null || details.age === undefined ? null : `${details.age} years`],
    ["Sex", details.sex && (SEXES[details.sex] ?? details.sex)],
    ...Object.entries(TEXTS).map(([name, label]) => [label, details[name]]),
  ];
  return rows.filter(([, value]) => value);
}
