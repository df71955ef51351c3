// Backtests of a job: which model would have done how well, when, and how far ahead.

import { h, put } from "./dom.js";
import { get, isAborted, path } from "./api.js";
import { jobNamed } from "./state.js";
import { empty, jobHead, skeleton, trouble } from "./parts.js";
import { count, figure, percent, plural, skillWords } from "./format.js";
import { exact, millis, stamp, zoneOf } from "./time.js";
import { labels, ticks } from "./ticks.js";
import { lossChart, wholes } from "./loss_chart.js";

/// Shows the page.
export function show(main, { job }) {
  document.title = `Backtests · ${job} · s4cast`;
  const body = h("div", { class: "stack" });
  const asked = new AbortController();
  let [facts, chosen, ends] = [null, 0, []];
  put(main, jobHead(job, "backtests"), body);
  put(body, skeleton(260, 380));
  const clear = () => ends.splice(0).forEach((end) => end());
  const draw = () => {
    clear();
    if (!facts.files.length) return put(body, none(job));
    ends = page(body, facts, chosen, zoneOf(jobNamed(job)), (at) => {
      chosen = at;
      draw();
    });
  };
  const load = async () => {
    try {
      facts = await get(path(["backtests", job]), asked.signal);
      draw();
    } catch (error) {
      if (!isAborted(error)) put(body, trouble(error, load));
    }
  };
  load();
  return {
    changed: (what) => facts && (what === "zone" || what === "theme") && draw(),
    leave() {
      asked.abort();
      clear();
    },
  };
}

function none(job) {
  const found = jobNamed(job);
  const horizon = found?.horizon ?? "H";
  return empty(
    "No backtest yet",
    "A backtest forecasts the past as production would have, and holds it against what came. This one takes the data of the job, six cutoffs, and seasonal naive for comparison; its file appears here:",
    `mkdir -p OUT/backtests/job=${job}\ns4cast backtest DATA -H ${horizon} --windows 6 -o OUT/backtests/job=${job}/first.parquet`,
  );
}

function page(body, { files }, chosen, zone, choose) {
  const file = files[chosen];
  const pick =
    files.length > 1
      ? h(
          "label",
          { class: "field" },
          "File",
          h(
            "select",
            { id: "file", onchange: (event) => choose(Number(event.target.value)) },
            files.map((one, at) => h("option", { value: at, selected: at === chosen }, one.file)),
          ),
        )
      : h("h2", { class: "break" }, file.file);
  if (file.error) {
    const told = h("p", { class: "warned" }, `This file cannot be shown: ${file.error}`);
    put(body, h("section", { class: "card pad" }, pick, told));
    return [];
  }
  const loss = (file.loss ?? "mase").toUpperCase();
  const models = file.models.map((model) => model.model);
  const about = h(
    "p",
    { class: "muted small" },
    `${plural(file.windows, "cutoff")}, ${plural(file.horizon, "step")}, ${count(file.series)} series, ${plural(file.rows, "row")}; written ${stamp(millis(file.modified), zone)}`,
  );
  const [byCutoff, byStep] = [
    h(
      "section",
      { class: "card pad", "aria-labelledby": "by-cutoff" },
      h("h2", { id: "by-cutoff" }, `${loss} by cutoff`),
    ),
    h("section", { class: "card pad", "aria-labelledby": "by-step" }, h("h2", { id: "by-step" }, `${loss} by step`)),
  ];
  put(
    body,
    h(
      "section",
      { class: "card", "aria-label": "Leaderboard" },
      h("div", { class: "card-head" }, pick, about),
      board(file),
    ),
    h("div", { class: "two" }, byCutoff, byStep),
  );
  const of = (row) => row[file.loss ?? "mase"] ?? row.mase ?? row.wape ?? {};
  const ends = [];
  if (file.cutoffs.length > 1)
    ends.push(
      lossChart(byCutoff, {
        models,
        rows: file.cutoffs.map((row) => ({ at: row.cutoff_ms, loss: of(row) })),
        where: (row) => row.at,
        xTitle: `Cutoff, ${zone}`,
        yTitle: loss,
        marks: (min, max, most) => ticks(min, max, zone, most),
        texts: (marks) => labels(marks, zone),
        name: (row) => exact(row.at, zone),
      }),
    );
  else byCutoff.append(h("p", { class: "muted" }, "There is one cutoff only; --windows 6 gives six."));
  if (file.steps.length > 1)
    ends.push(
      lossChart(byStep, {
        models,
        rows: file.steps.map((row) => ({ at: row.step, loss: of(row) })),
        where: (row) => row.at,
        xTitle: "Step ahead",
        yTitle: loss,
        marks: wholes,
        texts: (marks) => marks.map(String),
        name: (row) => `step ${row.at}`,
      }),
    );
  else byStep.append(h("p", { class: "muted" }, "There is one step only."));
  return ends;
}

function board({ models }) {
  const levels = Object.keys(models[0]?.coverage ?? {});
  const cols = [
    ["MASE", "mase", 3],
    ["RMSSE", "rmsse", 3],
    ["sMAPE %", "smape", 2],
    ["WAPE", "wape", 4],
    ["WQL", "wql", 4],
    ["MAE", "mae", 2],
  ].filter(([, key]) => models.some((model) => model[key] !== null && model[key] !== undefined));
  const best = Object.fromEntries(
    cols.map(([, key]) => [key, Math.min(...models.map((model) => model[key] ?? Infinity))]),
  );
  const row = (model, at) =>
    h(
      "tr",
      {},
      h("td", { class: "n muted" }, at + 1),
      h("th", { scope: "row" }, h("strong", { class: "ink" }, model.model)),
      h(
        "td",
        { class: model.skill > 0.005 ? "good" : model.skill < -0.005 ? "poor" : null },
        model.model === "seasonal_naive" ? h("span", { class: "muted" }, "the yardstick") : skillWords(model.skill),
      ),
      cols.map(([, key, places]) =>
        h(
          "td",
          { class: "n" },
          model[key] === best[key] ? h("strong", {}, figure(model[key], places)) : figure(model[key], places),
        ),
      ),
      levels.map((level) => h("td", { class: "n" }, percent(model.coverage?.[level], 1))),
    );
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "Leaderboard" },
    h(
      "table",
      { class: "roomy" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col", class: "n" }, "Rank"),
          h("th", { scope: "col" }, "Model"),
          h("th", { scope: "col" }, "Against seasonal naive"),
          cols.map(([text]) => h("th", { scope: "col", class: "n" }, text)),
          levels.map((level) => h("th", { scope: "col", class: "n" }, `In ${level} %`)),
        ),
      ),
      h("tbody", {}, models.map(row)),
    ),
  );
}
