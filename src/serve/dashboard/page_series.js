// One series of a job: search, chart, earlier forecasts, anomalies.

import { h, put } from "./dom.js";
import { ApiError, get, isAborted, path } from "./api.js";
import { href } from "./router.js";
import { jobNamed } from "./state.js";
import { empty, jobHead, replace, skeleton, trouble } from "./parts.js";
import { search } from "./search.js";
import { seriesView } from "./series_view.js";

const [POINTS, RUNS, ANOMALIES] = [10_000, 20, 1_000];

/// Shows the page; without an id, the first series of the newest run.
export function show(main, route) {
  let { job, id } = route;
  let [view, asked, run] = [null, new AbortController(), null];
  const body = h("div", { class: "stack" });
  const field = search(job, (chosen) => (location.hash = href(["job", job, "series", chosen])));
  put(main, jobHead(job, "series"), h("div", { class: "series-top" }, field), body);
  document.onkeydown = (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.matches?.("input, select, textarea"))
      return;
    event.preventDefault();
    field.querySelector("input").focus();
  };

  const load = async () => {
    view?.leave();
    view = null;
    asked.abort();
    const mine = (asked = new AbortController());
    document.title = `${id ?? job} · ${id ? `${job} · ` : ""}s4cast`;
    put(body, skeleton(620));
    try {
      if (id === undefined) return await first(job, body, mine.signal);
      const facts = await read(job, id, mine.signal);
      run = jobNamed(job)?.run_id ?? null;
      put(body);
      view = seriesView(body, facts);
    } catch (error) {
      if (!isAborted(error)) put(body, trouble(error, load));
    }
  };
  /// A new run is out: the same stretch with what is new.
  const follow = async () => {
    const newest = jobNamed(job)?.run_id ?? null;
    if (!view || newest === run || newest === null) return;
    run = newest;
    const facts = await read(job, id, asked.signal).catch(() => null);
    if (facts && view) view.renew(facts);
  };
  load();
  return {
    moved(wanted) {
      id = wanted.id;
      load();
      return true;
    },
    changed: (what) => (what === "overview" ? follow() : view?.changed(what)),
    leave() {
      document.onkeydown = null;
      asked.abort();
      view?.leave();
    },
  };
}

async function first(job, body, signal) {
  const { series } = await get(path(["series", job], { limit: 1 }), signal);
  if (series.length) return replace(href(["job", job, "series", series[0].unique_id]));
  put(
    body,
    empty(
      "No forecast yet",
      "This job has published no run. It does at its next slot, or now:",
      `s4cast run ${job} -c daemon.toml`,
    ),
  );
}

/// Everything about a series. What cannot be had is told beside the rest; only if nothing can, nothing is shown.
async function read(job, id, signal) {
  const asked = [
    get(path(["history", job], { unique_id: id, points: POINTS }), signal),
    get(path(["vintages", job], { unique_id: id, runs: RUNS }), signal),
    get(path(["anomalies", job], { unique_id: id, limit: ANOMALIES }), signal),
  ];
  const [history, vintages, anomalies] = await Promise.allSettled(asked);
  if (signal.aborted) throw new DOMException("given up", "AbortError");
  if (history.status === "rejected" && vintages.status === "rejected") {
    const status = history.reason.status || vintages.reason.status;
    throw new ApiError(status, history.reason.title, `${history.reason.message}. ${vintages.reason.message}`);
  }
  const notes = [];
  const or = (answer, otherwise, what) => {
    if (answer.status === "fulfilled") return answer.value;
    notes.push(`${what}: ${answer.reason.message}`);
    return otherwise;
  };
  const past = or(history, { ds: [], y: [], total: 0, tz: null, frequency: null }, "No history");
  return {
    job,
    id,
    notes,
    history: past,
    vintages: or(vintages, { vintages: [] }, "No forecasts").vintages,
    anomalies: or(anomalies, { anomalies: [] }, "No anomalies").anomalies.map((row) => ({
      ...row,
      ms: Date.parse(row.ds),
    })),
  };
}
