// All jobs at a glance: what ran, what is next, how fresh and how good the forecasts are.

import { h, put, renew } from "./dom.js";
import { state } from "./state.js";
import { href } from "./router.js";
import { mark, settle, strip } from "./outcome.js";
import { coverBar, sparkline } from "./spark.js";
import { empty, fact, trouble } from "./parts.js";
import { count, figure, percent, plural, skillWords } from "./format.js";
import { exact, millis, relative, short, span, zoneOf } from "./time.js";

/// Shows the page; it follows every new overview.
export function show(main) {
  document.title = "Overview · s4cast";
  const list = h("div", { id: "jobs" });
  const note = h("p", { class: "note" });
  put(main, h("div", { class: "head" }, h("h1", { tabindex: -1 }, "Overview"), note), list);
  put(list, waiting());
  const draw = () => {
    const { overview } = state;
    if (!overview && !state.trouble) return;
    if (!overview) return renew(list, trouble(state.trouble));
    note.textContent = overview.jobs.length ? noteOf(overview) : "";
    renew(list, ...(overview.jobs.length ? overview.jobs.map((job) => card(job, millis(overview.now))) : [none()]));
    settle(list);
  };
  draw();
  return { changed: (what) => what !== "theme" && draw() };
}

function noteOf({ jobs }) {
  const bad = jobs.filter((job) =>
    Object.values(job.last ?? {}).some((run) => ["failed", "missed"].includes(run?.outcome)),
  ).length;
  return `${plural(jobs.length, "job")}${bad ? `, ${bad} with a failed or missed last slot` : ", all last slots done"}`;
}

const waiting = () =>
  [1, 2].map(() => h("div", { class: "card skeleton", style: { height: "336px" }, "aria-hidden": "true" }));

function none() {
  return empty(
    "No job is configured",
    "A job names a source, a model, a sink and a schedule. Write a config for your data, then start the daemon with it:",
    "s4cast init --from sales.csv > daemon.toml\ns4cast serve -c daemon.toml",
  );
}

function card(job, now) {
  const link = (page, name) => h("a", { href: href(["job", job.job, page]) }, name);
  return h(
    "section",
    { class: "card", "data-key": job.job, "aria-label": `Job ${job.job}` },
    h(
      "div",
      { class: "card-head" },
      h("h2", {}, h("a", { href: href(["job", job.job, "series"]) }, job.job)),
      h("span", { class: "muted" }, about(job)),
      h(
        "span",
        { class: "links" },
        link("series", "Forecasts"),
        link("models", "Models"),
        link("backtests", "Backtests"),
        h("a", { href: href(["runs"], { job: job.job }) }, "Runs"),
      ),
    ),
    h("div", { class: "job-body" }, stages(job, now), figures(job, now)),
    strip(job, now),
  );
}

function about(job) {
  const parts = [`${job.model}${job.champion ? ` v${job.champion}` : ""}`, plural(job.horizon, "step")];
  if (job.series !== null && job.series !== undefined) parts.push(`${count(job.series)} series`);
  return `${parts.join(" · ")} · ${job.tz}`;
}

function stages(job, now) {
  const zone = zoneOf(job);
  const two = (first, second) => [h("div", {}, first), h("div", { class: "muted small" }, second)];
  const rows = job.stages.map((stage) => {
    const last = job.last?.[stage.stage];
    const before = last
      ? two(
          h("a", { href: href(["run", String(last.id)]), title: last.reasons.join("\n") || null }, mark(last.outcome)),
          h(
            "span",
            { title: exact(millis(last.slot), zone) },
            `${short(millis(last.slot), zone, now)} · ${relative(millis(last.slot), now)}`,
          ),
        )
      : two(h("span", { class: "muted" }, "none yet"), "");
    const at = stage.next ? millis(stage.next) : null;
    const when =
      at === null ? "" : h("span", { title: exact(at, zone) }, `${short(at, zone, now)} · ${relative(at, now)}`);
    const held = stage.held_by ? ` for ${stage.held_by}` : "";
    const waiting = stage.waiting ? `, ${stage.waiting} waiting${held}` : "";
    const after = stage.running
      ? two(mark("running", `now${waiting}`), when)
      : two(
          h("span", { class: "strong" }, (at === null ? "on demand" : at <= now ? "due" : relative(at, now)) + waiting),
          at === null ? "" : h("span", { title: exact(at, zone) }, short(at, zone, now)),
        );
    return h(
      "tr",
      {},
      h(
        "th",
        { scope: "row" },
        two(
          h("span", { class: "ink" }, stage.stage),
          h("span", { class: "cut", title: stage.schedule }, stage.schedule),
        ),
      ),
      h("td", {}, before),
      h("td", {}, after),
    );
  });
  return h(
    "div",
    {},
    h(
      "table",
      { class: "plain stages" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "Stage"),
          h("th", { scope: "col" }, "Last slot"),
          h("th", { scope: "col" }, "Next slot"),
        ),
      ),
      h("tbody", {}, rows),
    ),
    reason(job),
  );
}

/// Why the newest slot that did not go well did not.
function reason(job) {
  const poor = Object.entries(job.last ?? {}).find(
    ([, run]) => run && ["failed", "degraded", "missed"].includes(run.outcome) && run.reasons?.length,
  );
  if (!poor) return null;
  const [stage, run] = poor;
  return h(
    "p",
    { class: "small why", title: run.reasons.join("\n") },
    h("span", { class: run.outcome === "failed" ? "bad" : "poor" }, `${stage} ${run.outcome}: `),
    run.reasons[0],
  );
}

function figures(job, now) {
  const zone = zoneOf(job);
  const since = (iso) => (iso ? `${short(millis(iso), zone, now)}` : "no run yet");
  return h(
    "dl",
    { class: "job-facts" },
    fact(
      "Data lag",
      job.data_lag_s === null ? "–" : span(job.data_lag_s),
      job.cutoff ? `last value ${since(job.cutoff)}` : "no run yet",
    ),
    fact(
      "Forecast age",
      job.forecast_age_s === null ? "–" : span(job.forecast_age_s),
      job.issued_at ? `issued ${since(job.issued_at)}` : "no run yet",
    ),
    skill(job),
    coverage(job),
  );
}

function skill(job) {
  const found = job.accuracy;
  if (!found)
    return fact("Against seasonal naive", "–", "no forecast has come true yet", h("span", { class: "spark" }));
  const tone = found.skill > 0.005 ? "good" : found.skill < -0.005 ? "poor" : "";
  const line = found.history.map((run) => (run.mase_seasonal_naive ? 1 - run.mase / run.mase_seasonal_naive : null));
  return fact(
    "Against seasonal naive",
    h("span", { class: tone }, skillWords(found.skill)),
    `MASE ${figure(found.mase, 2)}, naive ${figure(found.mase_seasonal_naive, 2)}`,
    h(
      "span",
      { title: `${count(found.points)} points of ${plural(found.runs, "run")}; the dashed line is seasonal naive` },
      sparkline(
        line,
        `skill of the last ${found.history.length} runs, from ${skillWords(line[0])} to ${skillWords(line.at(-1))}`,
      ),
    ),
    h("span", { class: "muted small" }, `${plural(found.runs, "run")}; dashed: seasonal naive`),
  );
}

function coverage(job) {
  const levels = Object.entries(job.accuracy?.coverage ?? {}).filter(([, held]) => held !== null);
  if (!levels.length) return fact("Coverage", "–", "no forecast has come true yet", h("span", { class: "spark" }));
  const [level, held] = levels[0];
  const off = held * 100 - Number(level);
  const word =
    Math.abs(off) < 0.05
      ? "as promised"
      : `${figure(Math.abs(off), 1)} points ${off > 0 ? "above" : "below"} ${level} %`;
  const bars = levels.flatMap(([name, share]) => [
    h("span", {}, `${name} %`),
    coverBar(share, Number(name) / 100),
    h("span", { class: "n" }, percent(share)),
  ]);
  return fact(
    "Coverage",
    h("span", { class: off < -5 ? "poor" : "" }, percent(held)),
    word,
    h("span", { class: "cover", title: "bar: share of values inside; tick: what was promised" }, bars),
  );
}
