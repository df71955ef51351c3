// What the lines of the chart are, with their values where the cursor is.

import { h, renew } from "./dom.js";
import { value } from "./format.js";
import { exact } from "./time.js";
import { others } from "./chartdata.js";

/// Shows the values at a place of the axis; returns them as a sentence.
export function legend(host, { vintages, anomalies }, axis, selected, at, zone, hasOthers) {
  const ms = axis.x[at];
  const vintage = vintages[selected];
  const step = vintage ? vintage.ds.indexOf(ms) : -1;
  const observed = axis.observed[at];
  const odd = anomalies.find((row) => row.ms === ms);
  const items = [
    ["observed", "Observed", value(observed ?? null), odd ? ` ${odd.direction === "above" ? "▲" : "▼"} anomaly` : ""],
  ];
  if (vintage) {
    items.push(["median", "Forecast", value(step < 0 ? null : vintage.yhat[step]), ""]);
    vintage.intervals.forEach(({ level, lower, upper }, place) =>
      items.push([
        `band-${place}`,
        `${level} % interval`,
        step < 0 ? "–" : `${value(lower[step])} to ${value(upper[step])}`,
        "",
      ]),
    );
  }
  if (hasOthers && vintages.length > 1) {
    const said = others(axis, selected, at);
    items.push([
      "older",
      "Other forecasts",
      said
        ? value(said.least) === value(said.most)
          ? value(said.least)
          : `${value(said.least)} to ${value(said.most)}`
        : "–",
      "",
    ]);
  }
  const time = ms === undefined ? "–" : exact(ms, zone);
  renew(
    host,
    h("div", { class: "legend-time" }, h("dt", {}, h("span", { class: "sr" }, "Time")), h("dd", {}, time)),
    ...items.map(([kind, name, text, more]) =>
      h(
        "div",
        { "data-kind": kind },
        h("dt", {}, h("span", { class: "swatch", "aria-hidden": "true" }), name),
        h("dd", {}, text, more ? h("span", { class: "bad" }, more) : null),
      ),
    ),
  );
  return `${time}: ${items.map(([, name, text, more]) => `${name} ${text}${more}`).join(", ")}`;
}
