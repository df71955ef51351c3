// The card of a series: chart, legend, controls, table; and below it what was not to be expected.

import { h, put, announce } from "./dom.js";
import { jobNamed } from "./state.js";
import { zoneOf, exact, stamp } from "./time.js";
import { count, plural, value } from "./format.js";
import { align, fan, recent } from "./chartdata.js";
import { seriesChart } from "./chart.js";
import { zoom } from "./zoom.js";
import { legend } from "./legend.js";
import { dataTable } from "./data_table.js";
import { vintagePicker } from "./vintages.js";

/// Draws the card into `body`; `facts` are what the page has read.
export function seriesView(body, facts) {
  let axis, chart, acts, pick;
  let [selected, hasOthers, isTable, range, cursor] = [0, true, false, null, null];
  const zone = () => zoneOf(jobNamed(facts.job) ?? { tz: facts.history.tz });
  const host = h("div", { class: "plot" });
  const table = h("div", {
    class: "plot-table",
    hidden: true,
    tabindex: 0,
    role: "region",
    "aria-label": "Values of the chart as a table",
  });
  const values = h("dl", { class: "legend" });
  const hint = h("p", { class: "wheel-hint", hidden: true }, "Click the chart, or hold Ctrl, to zoom with the wheel");
  const focus = h(
    "div",
    {
      class: "plot-box",
      tabindex: 0,
      role: "group",
      "aria-roledescription": "chart",
      "aria-describedby": "chart-help",
    },
    host,
    hint,
  );
  const spoken = h("p", { class: "sr spoken", "aria-live": "polite" });
  const about = h("p", { class: "muted small" });
  const past = h("div", { class: "vintages" });
  const odd = h("section", { class: "card pad", "aria-label": "Anomalies" });
  const notes = h("div", {});
  const asTable = h(
    "button",
    { class: "button", type: "button", "aria-pressed": "false", onclick: () => flip() },
    "Show as table",
  );
  const button = (act, text, name, more) =>
    h(
      "button",
      { class: "button", type: "button", "aria-label": name, title: name, onclick: () => acts[act](), ...more },
      text,
    );
  const square = { "data-size": "square" };
  const tools = h(
    "div",
    { class: "plot-tools", role: "group", "aria-label": "Stretch of time" },
    button("left", "←", "Earlier", square),
    button("right", "→", "Later", square),
    button("out", "−", "Zoom out", square),
    button("in", "+", "Zoom in", square),
    button("home", "Recent", "Recent: the forecast and what came before it"),
    button("all", "All", "All values"),
    asTable,
  );
  const card = h(
    "section",
    { class: "card series-card", "aria-labelledby": "series-name" },
    h(
      "div",
      { class: "card-head series-head" },
      h("div", { class: "series-title" }, h("h2", { id: "series-name", class: "break" }, facts.id), about),
      tools,
    ),
    h(
      "div",
      { class: "pad-x" },
      notes,
      values,
      focus,
      table,
      spoken,
      h(
        "p",
        { id: "chart-help", class: "muted small plot-help" },
        h(
          "span",
          { class: "fine" },
          "Drag to zoom, double click to go back. Keys: + and − zoom, arrows move, 0 goes back, Shift with arrows reads values.",
        ),
        h("span", { class: "coarse" }, "Drag to move, pinch to zoom, touch to read values."),
      ),
      past,
    ),
  );
  put(body, card, odd);

  const model = () => {
    const vintage = facts.vintages[selected];
    const tz = zone();
    return {
      axis,
      selected,
      hasOthers,
      zone: tz,
      range: range ?? recent(axis, facts.vintages),
      fan: vintage ? fan(axis, vintage) : [],
      cutoff: vintage?.cutoff_ms ?? null,
      anomalies: facts.anomalies,
      xTitle: `Time, ${tz}${facts.history.frequency ? `, step ${facts.history.frequency}` : ""}`,
      yTitle: "Value",
    };
  };
  const tell = () => legend(values, facts, axis, selected, cursor ?? lastKnown(), zone(), hasOthers);
  const lastKnown = () => {
    const from = axis.observed.findLastIndex((v) => v !== null && v !== undefined);
    return from < 0 ? axis.x.length - 1 : from;
  };
  const build = () => {
    chart?.destroy();
    chart = seriesChart(host, model(), {
      cursor: (at) => {
        cursor = at;
        if (chart) tell();
      },
      range: (min, max) => {
        range = [min, max];
        Object.assign(focus.dataset, { from: Math.round(min), to: Math.round(max) });
        if (isTable) dataTable(table, facts, axis, selected, range, zone());
      },
    });
    acts = zoom(chart.chart, focus, {
      bounds: () => [axis.x[0], axis.x.at(-1)],
      home: () => recent(axis, facts.vintages),
      step: () => (axis.x.length > 1 ? (axis.x.at(-1) - axis.x[0]) / (axis.x.length - 1) : 1),
      hint: () => show(hint),
      walk,
    });
    words();
    tell();
    host.dataset.ready = facts.id;
  };
  const words = () => {
    const { history, vintages } = facts;
    const shown =
      history.ds.length < history.total
        ? `newest ${count(history.ds.length)} of ${count(history.total)} values`
        : plural(history.total, "value");
    const ends = history.ds.length ? `, ${stamp(history.ds[0], zone())} to ${stamp(history.ds.at(-1), zone())}` : "";
    about.textContent = `${shown}${ends} · ${plural(vintages.length, "forecast")} · ${zone()}`;
    focus.setAttribute("aria-label", `Chart of ${facts.id}: ${about.textContent}`);
    put(
      notes,
      facts.notes.map((note) => h("p", { class: "warned small" }, note)),
    );
    anomalyList(odd, facts, zone(), (ms) => {
      const width = (range[1] - range[0]) / 2;
      chart.chart.setScale("x", { min: ms - width, max: ms + width });
      focus.focus();
    });
  };
  const walk = (way) => {
    const [low, high] = [chart.chart.valToIdx(range[0]), chart.chart.valToIdx(range[1])];
    const at = Math.min(Math.max((cursor ?? lastKnown()) + way, low), high);
    chart.chart.setCursor({ left: chart.chart.valToPos(axis.x[at], "x"), top: 10 });
    cursor = at;
    spoken.textContent = tell();
  };
  const select = (at) => {
    selected = at;
    chart.renew(model());
    tell();
    if (isTable) dataTable(table, facts, axis, selected, range, zone());
  };
  const flip = () => {
    isTable = !isTable;
    asTable.setAttribute("aria-pressed", String(isTable));
    table.hidden = !isTable;
    focus.hidden = isTable;
    if (isTable) dataTable(table, facts, axis, selected, range, zone());
  };
  const start = () => {
    axis = align(facts.history, facts.vintages);
    build();
    pick = vintagePicker(
      past,
      () => ({ facts, axis, selected, hasOthers, zone: zone() }),
      select,
      (isOn) => {
        hasOthers = isOn;
        chart.renew(model());
        tell();
      },
    );
  };
  start();
  return {
    renew(next) {
      const run = facts.vintages[selected]?.run_id;
      facts = next;
      // Who looks at the newest forecast goes on to the new one; who looks at an earlier one stays there.
      selected =
        selected === 0
          ? 0
          : Math.max(
              0,
              facts.vintages.findIndex((vintage) => vintage.run_id === run),
            );
      start();
      announce("A new run is out");
    },
    changed(what) {
      if (what !== "zone" && what !== "theme") return;
      build();
      pick();
      if (isTable) dataTable(table, facts, axis, selected, range, zone());
    },
    leave: () => chart?.destroy(),
  };
}

let hiding = 0;
function show(hint) {
  hint.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => (hint.hidden = true), 1_500);
}

function anomalyList(host, { anomalies, history }, zone, go) {
  const from = history.ds[0] ?? -Infinity;
  const shown = anomalies.filter((row) => row.ms >= from).slice(0, 100);
  const rows = shown.map((row) =>
    h(
      "tr",
      {},
      h(
        "td",
        {},
        h(
          "button",
          {
            class: "link",
            type: "button",
            onclick: () => go(row.ms),
            "aria-label": `Show ${exact(row.ms, zone)} in the chart`,
          },
          exact(row.ms, zone),
        ),
      ),
      h("td", { class: "n" }, value(row.y)),
      h(
        "td",
        {},
        `${row.direction === "above" ? "▲ above" : "▼ below"} ${value(row.yhat_lower)} to ${value(row.yhat_upper)}`,
      ),
      h("td", { class: "n" }, value(row.score)),
    ),
  );
  put(
    host,
    h("h2", {}, "Anomalies"),
    rows.length
      ? h(
          "div",
          { class: "scroll", tabindex: 0, role: "region", "aria-label": "Anomalies" },
          h(
            "table",
            { class: "plain" },
            h(
              "thead",
              {},
              h(
                "tr",
                {},
                h("th", { scope: "col" }, `Time, ${zone}`),
                h("th", { scope: "col", class: "n" }, "Value"),
                h("th", { scope: "col" }, "Against its interval"),
                h("th", { scope: "col", class: "n" }, "Score"),
              ),
            ),
            h("tbody", {}, rows),
          ),
        )
      : h(
          "p",
          { class: "muted" },
          "No value of this stretch lay outside of the interval that was expected of it, as far as slots of the score stage have looked.",
        ),
  );
}
