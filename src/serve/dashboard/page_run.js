// One slot: what became of it, why, what it did, what was logged meanwhile, and a way to do it again.

import { h, put, renew } from "./dom.js";
import { get, isAborted, path } from "./api.js";
import { jobNamed } from "./state.js";
import { href } from "./router.js";
import { skeleton, trouble } from "./parts.js";
import { MEANING, mark, wordOf } from "./outcome.js";
import { change } from "./change.js";
import { detail } from "./detail.js";
import { plural } from "./format.js";
import { clock, exact, millis, span, stamp, zoneOf } from "./time.js";

/// Shows the page; a slot that has not ended is read again with every overview.
export function show(main, { id }) {
  document.title = `Run ${id} · s4cast`;
  const asked = new AbortController();
  let [row, log] = [null, null];
  put(
    main,
    h("p", { class: "crumb" }, h("a", { href: "#/runs" }, "Runs"), ` / ${id}`),
    h("h1", { tabindex: -1, class: "sr" }, `Run ${id}`),
    skeleton(220, 160),
  );
  const load = async () => {
    try {
      row = await get(path(["runs", id]), asked.signal);
      log = await get(path(["runs", id, "log"], { limit: 1000 }), asked.signal).catch((error) => {
        if (isAborted(error)) throw error;
        return { lines: [], complete: false, trouble: error.message };
      });
      document.title = `${wordOf(row)}: ${row.stage} of ${row.job} · s4cast`;
      draw();
    } catch (error) {
      if (!isAborted(error) && row === null)
        put(
          main,
          h("p", { class: "crumb" }, h("a", { href: "#/runs" }, "Runs"), ` / ${id}`),
          h("h1", { tabindex: -1, class: "sr" }, `Run ${id}`),
          trouble(error, load),
        );
    }
  };
  const draw = () => renew(main, ...page(row, log, load));
  load();
  return {
    changed(what) {
      if (what === "overview" && row && row.outcome === null) load();
      else if (what === "zone" && row) draw();
    },
    leave: () => asked.abort(),
  };
}

function page(row, log, load) {
  const job = jobNamed(row.job);
  const zone = zoneOf(job);
  const word = wordOf(row);
  const retry = h(
    "button",
    {
      class: "button",
      type: "button",
      disabled: row.outcome === null,
      onclick: () =>
        change(
          {
            title: `Work slot ${row.id} again?`,
            verb: "Retry",
            text: `The ${row.stage} slot of ${row.job} at ${exact(millis(row.slot), zone)} is planned anew. It knows what was known at its slot, and replaces its own files and no others.`,
            where: path(["runs", String(row.id), "retry"]),
            body: {},
            command: `s4cast runs retry ${row.id} -c daemon.toml`,
            done: (answer) => (
              (location.hash = href(["run", String(answer.id ?? row.id)])),
              `Slot ${answer.id ?? row.id} is planned`
            ),
          },
          load,
        ),
    },
    "Retry",
  );
  return [
    h("p", { class: "crumb" }, h("a", { href: "#/runs" }, "Runs"), ` / ${row.id}`),
    h(
      "div",
      { class: "head" },
      h("h1", { tabindex: -1 }, `${row.stage} of ${row.job}`),
      h("p", { class: "note" }, `slot ${exact(millis(row.slot), zone)}`),
      h("div", { class: "actions" }, retry),
    ),
    h("div", { class: "stack" }, facts(row, word, zone), reasons(row, word), work(row), lines(row, log, zone)),
  ];
}

function facts(row, word, zone) {
  const at = (iso) => (iso ? exact(millis(iso), zone) : "–");
  const took = row.started_at && row.ended_at ? span((millis(row.ended_at) - millis(row.started_at)) / 1000) : "–";
  const pairs = [
    ["Outcome", [mark(word), h("span", { class: "muted" }, ` ${MEANING[word]}`)]],
    ["Trigger", `${row.trigger.replace("_", " ")}${row.late ? ", late" : ""}`],
    ["Planned", at(row.planned_at)],
    ["Started", at(row.started_at)],
    ["Ended", at(row.ended_at)],
    ["Took", took],
    ["Attempts", String(row.attempts)],
    ["Run id", h("code", {}, row.run_id)],
    ["Job", h("a", { href: href(["job", row.job, "series"]) }, row.job)],
  ];
  return h(
    "section",
    { class: "card pad", "aria-label": "Facts" },
    h(
      "dl",
      { class: "kv wide" },
      pairs.map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, text))),
    ),
  );
}

function reasons(row, word) {
  if (!row.reasons.length) return null;
  const isBad = word === "failed";
  return h(
    "section",
    { class: `card pad${isBad ? " trouble" : ""}`, "aria-labelledby": "why" },
    h("h2", { id: "why" }, isBad ? "Why it failed" : "Why"),
    h(
      "ul",
      { class: "said" },
      row.reasons.map((text) => h("li", { class: "reason break" }, text)),
    ),
  );
}

function work(row) {
  if (row.detail === null || row.detail === undefined) return null;
  return h(
    "section",
    { class: "card pad", "aria-labelledby": "detail" },
    h("h2", { id: "detail" }, "What it did"),
    detail(row.detail),
    h(
      "details",
      {},
      h("summary", {}, "As JSON"),
      h("pre", { class: "small", tabindex: 0, "aria-label": "detail as JSON" }, JSON.stringify(row.detail, null, 2)),
    ),
  );
}

function lines(row, log, zone) {
  const items = log.lines.map((line) =>
    h(
      "li",
      {},
      h("time", { datetime: line.at, title: exact(millis(line.at), zone) }, clock(millis(line.at), zone)),
      h("span", { "data-level": line.level }, line.level),
      h("span", { class: "break" }, line.message, fields(line.fields)),
    ),
  );
  const missing =
    log.trouble ??
    (log.complete
      ? null
      : `The daemon holds the newest lines of its own process only${row.started_at ? `, and this slot began ${stamp(millis(row.started_at), zone)}` : ""}; earlier ones stand in its log.`);
  return h(
    "section",
    { class: "card", "aria-labelledby": "log" },
    h(
      "div",
      { class: "card-head" },
      h("h2", { id: "log" }, "Log"),
      h("span", { class: "muted small" }, `${plural(items.length, "line")}, ${zone}`),
    ),
    missing ? h("p", { class: "muted small pad-line" }, missing) : null,
    items.length
      ? h(
          "div",
          { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": "log" },
          h("ol", { class: "log" }, items),
        )
      : h("p", { class: "muted pad-line" }, "No line of this run is held."),
  );
}

function fields(found) {
  const pairs = Object.entries(found ?? {});
  return pairs.length
    ? h(
        "span",
        { class: "fields" },
        pairs.map(([name, text]) => ` ${name}=${typeof text === "string" ? text : JSON.stringify(text)}`).join(""),
      )
    : null;
}
