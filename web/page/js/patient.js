// One patient: both leads on paper, what was found in them, their alarms and their last hour.

import { PatientView } from "./patient_view.js";

export const title = (route) => `Patient ${route.params.patient}`;

export function mount(root, shell, route) {
  const view = new PatientView(route.params.patient, shell, route.query.t ?? null);
  root.append(view.node);
  view.begin();
  return () => view.close();
}
