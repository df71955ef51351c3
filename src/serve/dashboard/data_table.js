// The chart as a table, for whoever reads with something else than eyes, or wants the figures.

import { h, put } from "./dom.js";
import { count, plural, value } from "./format.js";
import { exact } from "./time.js";

const ROWS = 500;

/// Shows what the stretch holds: the newest rows first.
export function dataTable(host, { vintages, anomalies, id }, axis, selected, [min, max], zone) {
  const vintage = vintages[selected];
  const levels = vintage?.intervals ?? [];
  const steps = new Map((vintage?.ds ?? []).map((ms, step) => [ms, step]));
  const odd = new Map(anomalies.map((row) => [row.ms, row.direction]));
  const isRow = (ms, at) => ms >= min && ms <= max && (axis.observed[at] !== undefined || steps.has(ms));
  const places = axis.x.flatMap((ms, at) => (isRow(ms, at) ? [at] : [])).reverse();
  const row = (at) => {
    const ms = axis.x[at];
    const step = steps.get(ms);
    const of = (column) => value(step === undefined ? null : column[step]);
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, exact(ms, zone)),
      h("td", { class: "n" }, value(axis.observed[at] ?? null)),
      vintage ? h("td", { class: "n" }, of(vintage.yhat)) : null,
      levels.flatMap(({ lower, upper }) => [h("td", { class: "n" }, of(lower)), h("td", { class: "n" }, of(upper))]),
      h("td", {}, odd.get(ms) ?? ""),
    );
  };
  const head = (text, isNumber = true) => h("th", { scope: "col", class: isNumber ? "n" : null }, text);
  const cut =
    places.length > ROWS
      ? `the newest ${ROWS} of ${count(places.length)} rows; zoom in for others`
      : plural(places.length, "row");
  put(
    host,
    h(
      "table",
      { class: "plain dense" },
      h("caption", {}, `${id}: ${cut}`),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          head(`Time, ${zone}`, false),
          head("Observed"),
          vintage ? head("Forecast") : null,
          levels.flatMap(({ level }) => [head(`${level} % from`), head("to")]),
          head("Anomaly", false),
        ),
      ),
      h("tbody", {}, places.slice(0, ROWS).map(row)),
    ),
  );
}
