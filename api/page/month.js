// The days up to one: a bar each, a sentence, and a table for who does not see the bars.

import { bars, Chart } from "./chart.js";
import { byId, dayText, el, said, table, tick, title } from "./words.js";

const KNOWN = [
  "steps", "calories_burned_kcal", "energy_kcal", "sleep_minutes", "weight_kg", "protein_g", "water_ml", "distance_m",
  "active_minutes", "workout_minutes", "volume_kg", "training_load", "meals_logged",
];

export class Month {
  constructor(go) {
    this.go = go;
    this.chart = new Chart(byId("month"), (data, dates, chosen, mean, name) =>
      bars((value) => tick(name, value), (at) => (dates[at] ? dayText(dates[at]) : ""), chosen, mean, (at) => this.go(dates[at])));
    this.choice = byId("metric");
    this.choice.addEventListener("change", () => {
      this.chosenByHand = true;
      this.redraw();
    });
  }

  draw(dates, days, chosen) {
    const told = JSON.stringify([dates, [...days], chosen]);
    if (told === this.told) return;
    Object.assign(this, { dates, days, chosen, told });
    const count = (name) => [...days.values()].filter((metrics) => typeof metrics[name] === "number").length;
    const counts = new Map(KNOWN.map((name) => [name, count(name)]).filter(([, days]) => days));
    const names = counts.size ? [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a)) : ["steps"];
    const old = this.chosenByHand ? this.choice.value : names[0];
    if ([...this.choice.options].map((each) => each.value).join() !== names.join()) {
      this.choice.replaceChildren(...names.map((name) => el("option", { value: name }, title(name))));
    }
    this.choice.value = names.includes(old) ? old : names[0];
    this.redraw();
  }

  redraw() {
    const name = this.choice.value, { dates, days, chosen } = this;
    if (!dates) return;
    const values = dates.map((date) => days.get(date)?.[name] ?? null);
    const there = values.filter((value) => value !== null);
    const mean = there.length ? there.reduce((sum, value) => sum + value, 0) / there.length : null;
    this.chart.draw([dates.map((_, at) => at), values], dates, dates.indexOf(chosen), mean, name);
    const best = there.length ? Math.max(...there) : null;
    byId("month-said").textContent = there.length
      ? `${title(name)} on ${there.length} of ${dates.length} days: ${said(name, mean)} a day (dashed), most on `
        + `${dayText(dates[values.indexOf(best)])} with ${said(name, best)}.`
      : `${title(name)}: nothing in these ${dates.length} days.`;
    const rows = dates.map((date, at) => [dayText(date, { weekday: "short" }), said(name, values[at])]).reverse();
    byId("month-table").replaceChildren(table(`${title(name)}, day by day`, ["Day", `>${title(name)}`], rows));
  }

  repaint() {
    this.chart.again();
  }
}
