// The ledger: every slot, what became of it, and why.

import { h, put, renew } from "./dom.js";
import { get, isAborted, path } from "./api.js";
import { jobNamed, state } from "./state.js";
import { href } from "./router.js";
import { empty, jobHead, replace, skeleton, trouble } from "./parts.js";
import { MEANING, OUTCOMES, mark, wordOf } from "./outcome.js";
import { exact, millis, relative, short, span, zoneOf } from "./time.js";

const PAGE = 50;
const STAGES = ["train", "forecast", "score"];

/// Shows the list; filters are part of the address, so that a view can be sent to somebody.
export function show(main, route) {
  document.title = "Runs · s4cast";
  let { query } = route;
  let [rows, offset, asked] = [null, 0, new AbortController()];
  const filters = h("div", { class: "filters" });
  const body = h("div", {});
  const head = h("div", {});
  put(main, head, filters, body);
  put(body, skeleton(640));
  const load = async () => {
    asked.abort();
    const mine = (asked = new AbortController());
    try {
      // One more than is shown says whether there are older ones.
      const found = await get(
        path(["runs"], { job: query.job, stage: query.stage, outcome: query.outcome, limit: PAGE + 1, offset }),
        mine.signal,
      );
      rows = found.runs;
      draw();
    } catch (error) {
      if (isAborted(error)) return;
      // A list that is there stays; the banner says that it grows old.
      if (rows === null || (error.status >= 400 && error.status < 500)) put(body, trouble(error, load));
    }
  };
  const turn = (by) => {
    offset = Math.max(0, offset + by);
    load().then(() => window.scrollTo(0, 0));
  };
  const draw = () =>
    renew(body, rows.length ? list(rows.slice(0, PAGE), offset, rows.length > PAGE, turn) : nothing(query));
  /// The runs of one job are one of its pages.
  const heading = () =>
    renew(
      head,
      ...(query.job
        ? jobHead(query.job, "runs")
        : [h("div", { class: "head" }, h("h1", { tabindex: -1 }, "Runs"), h("p", { class: "note" }, "of all jobs"))]),
    );
  const choices = () => {
    heading();
    const set = (name) => (event) => replace(href(["runs"], { ...query, [name]: event.target.value }));
    const select = (name, text, all, options) =>
      h(
        "label",
        { class: "field" },
        text,
        h(
          "select",
          { id: `by-${name}`, value: query[name] ?? "", onchange: set(name) },
          h("option", { value: "", selected: !query[name] }, all),
          options.map((option) => h("option", { value: option, selected: query[name] === option }, option)),
        ),
      );
    const jobs = [
      ...new Set([...(state.overview?.jobs.map((job) => job.job) ?? []), ...(query.job ? [query.job] : [])]),
    ];
    renew(
      filters,
      select("job", "Job", "All jobs", jobs),
      select("stage", "Stage", "All stages", STAGES),
      select("outcome", "Outcome", "All outcomes", OUTCOMES),
    );
  };
  choices();
  load();
  return {
    moved(wanted) {
      query = wanted.query;
      offset = 0;
      choices();
      load();
      return true;
    },
    changed(what) {
      choices();
      if (what === "overview" && offset === 0 && rows !== null) load();
      else if (what === "zone" && rows) draw();
    },
    leave: () => asked.abort(),
  };
}

function nothing(query) {
  const isFiltered = query.job || query.stage || query.outcome;
  return isFiltered
    ? h(
        "section",
        { class: "card empty" },
        h("h2", {}, "No slot matches"),
        h("p", {}, "No slot of the ledger has this job, stage and outcome."),
        h("a", { class: "button", href: "#/runs" }, "Show all"),
      )
    : empty(
        "No slot yet",
        "A slot is written here before its work begins. The first ones come with the schedules of the jobs:",
        "s4cast schedule next -c daemon.toml",
      );
}

function list(rows, offset, hasMore, turn) {
  const now = state.overview ? millis(state.overview.now) : Date.now();
  const head = ["Outcome", "Job", "Stage", "Slot", "Took", "Why"];
  return h(
    "section",
    { class: "card", "aria-label": "Slots" },
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Slots, newest first" },
      h(
        "table",
        { class: "roomy runs", role: "table" },
        h(
          "thead",
          { role: "rowgroup" },
          h(
            "tr",
            { role: "row" },
            head.map((text) => h("th", { scope: "col", role: "columnheader" }, text)),
          ),
        ),
        h(
          "tbody",
          { role: "rowgroup" },
          rows.map((row) => line(row, now)),
        ),
      ),
    ),
    h(
      "div",
      { class: "pager" },
      h("span", {}, `Slots ${offset + 1} to ${offset + rows.length}, newest first`),
      h(
        "button",
        { class: "button", "data-size": "s", type: "button", disabled: offset === 0, onclick: () => turn(-PAGE) },
        "Newer",
      ),
      h(
        "button",
        { class: "button", "data-size": "s", type: "button", disabled: !hasMore, onclick: () => turn(PAGE) },
        "Older",
      ),
    ),
  );
}

const cell = (name, text) => h("td", { role: "cell", class: name }, text);

function line(row, now) {
  const zone = zoneOf(jobNamed(row.job));
  const slot = millis(row.slot);
  const word = wordOf(row);
  const took = row.started_at && row.ended_at ? span((millis(row.ended_at) - millis(row.started_at)) / 1000) : "";
  const tags = [
    row.trigger !== "schedule" && row.trigger.replace("_", " "),
    row.late && "late",
    row.attempts > 1 && `${row.attempts} attempts`,
  ].filter(Boolean);
  return h(
    "tr",
    { "data-key": String(row.id), role: "row" },
    h(
      "td",
      { role: "cell", class: "outcome" },
      h(
        "a",
        {
          href: href(["run", String(row.id)]),
          title: MEANING[word],
          "aria-label": `${word}: ${row.stage} of ${row.job}, slot ${exact(slot, zone)}`,
        },
        mark(word),
      ),
    ),
    cell("job", row.job),
    cell("stage", row.stage),
    h(
      "td",
      { role: "cell", class: "slot nowrap", title: exact(slot, zone) },
      short(slot, zone, now),
      h("span", { class: "muted" }, ` · ${relative(slot, now)}`),
    ),
    cell("took nowrap", took),
    h(
      "td",
      { role: "cell", class: "why" },
      h(
        "span",
        { class: "clamp", title: row.reasons.join("\n") || null },
        tags.map((tag) => [h("span", { class: "tag" }, tag), " "]),
        row.reasons[0] ?? "",
        row.reasons.length > 1 ? h("span", { class: "muted" }, ` and ${row.reasons.length - 1} more`) : null,
      ),
    ),
  );
}
