// What became of slots: a colour, a shape and a word, so that none of them has to be told by colour alone.

import { h, svg } from "./dom.js";
import { href } from "./router.js";
import { exact, short, zoneOf, millis } from "./time.js";

const LETTERS = { ok: "", degraded: "D", failed: "F", skipped: "S", missed: "M", running: "R", planned: "P" };

/// All outcomes, the best first.
export const OUTCOMES = ["ok", "degraded", "failed", "skipped", "missed"];

/// What the outcomes mean, in a line each.
export const MEANING = {
  ok: "done, nothing to say",
  degraded: "done, with a shortfall",
  failed: "not done, and why is known",
  skipped: "left out by policy",
  missed: "passed while the daemon was off",
  running: "not ended yet",
  planned: "not begun yet",
};

const SHAPES = {
  ok: [
    ["circle", { cx: 6, cy: 6, r: 5.5, fill: "currentColor" }],
    ["path", { d: "M3.4 6.2 5.3 8 8.7 4.3", fill: "none", stroke: "var(--surface)", "stroke-width": 1.5 }],
  ],
  degraded: [
    ["path", { d: "M6 .8 11.6 11H.4Z", fill: "currentColor" }],
    ["path", { d: "M6 4.2v3.4M6 8.6v1.2", fill: "none", stroke: "var(--surface)", "stroke-width": 1.4 }],
  ],
  failed: [
    ["rect", { x: 0.5, y: 0.5, width: 11, height: 11, rx: 2, fill: "currentColor" }],
    ["path", { d: "M3.6 3.6l4.8 4.8M8.4 3.6 3.6 8.4", stroke: "var(--surface)", "stroke-width": 1.5 }],
  ],
  skipped: [
    ["circle", { cx: 6, cy: 6, r: 4.8, fill: "none", stroke: "currentColor", "stroke-width": 1.4 }],
    ["path", { d: "M3.4 6h5.2", stroke: "currentColor", "stroke-width": 1.4 }],
  ],
  missed: [
    [
      "circle",
      {
        cx: 6,
        cy: 6,
        r: 4.8,
        fill: "none",
        stroke: "currentColor",
        "stroke-width": 1.4,
        "stroke-dasharray": "2.4 1.6",
      },
    ],
  ],
  running: [
    ["circle", { cx: 6, cy: 6, r: 4.8, fill: "none", stroke: "currentColor", "stroke-width": 1.4 }],
    ["path", { d: "M6 1.2a4.8 4.8 0 0 1 0 9.6Z", fill: "currentColor" }],
  ],
  planned: [["circle", { cx: 6, cy: 6, r: 2.5, fill: "currentColor" }]],
};

/// The outcome of a slot as a word: that of one that has not ended is what it is doing.
export const wordOf = (row) => row.outcome ?? (row.started_at ? "running" : "planned");

/// Shape and word of an outcome.
export function mark(word, text = word) {
  const parts = (SHAPES[word] ?? SHAPES.planned).map(([tag, props]) => svg(tag, props));
  const shape = svg(
    "svg",
    { width: 12, height: 12, viewBox: "0 0 12 12", "aria-hidden": "true", focusable: "false" },
    parts,
  );
  return h("span", { class: "mark", "data-o": word }, shape, text);
}

/// The last slots of a job, each of them a link to its run. The strip is one stop of Tab; arrows go on from there.
export function strip(job, now) {
  const zone = zoneOf(job);
  const cells = job.outcomes.map((slot) => {
    const word = slot.outcome ?? "planned";
    const label = `${word}: ${slot.stage}, slot ${exact(millis(slot.slot), zone)}`;
    return h(
      "a",
      {
        href: href(["run", String(slot.id)]),
        "data-o": word,
        "data-key": String(slot.id),
        "data-roving": "",
        tabindex: -1,
        title: label,
        "aria-label": label,
      },
      h("i", { "aria-hidden": "true" }, LETTERS[word] ?? ""),
    );
  });
  const when = (slot) => short(millis(slot.slot), zone, now);
  const label = h(
    "p",
    { class: "strip-label" },
    h("span", {}, summary(job.outcomes)),
    cells.length ? h("span", {}, [...new Set([job.outcomes[0], job.outcomes.at(-1)].map(when))].join(" to ")) : null,
  );
  return h(
    "div",
    { class: "strip-box" },
    label,
    cells.length
      ? h(
          "div",
          { class: "strip", role: "group", "aria-label": `Outcomes of the last slots of ${job.job}`, onkeydown: walk },
          cells,
        )
      : h("p", { class: "muted small" }, "No slot has been planned yet."),
  );
}

function summary(outcomes) {
  const counts = new Map();
  for (const { outcome } of outcomes) counts.set(outcome ?? "planned", (counts.get(outcome ?? "planned") ?? 0) + 1);
  const words = [...OUTCOMES, "planned"].filter((word) => counts.has(word));
  const parts = words.map((word) => `${counts.get(word)} ${word === "planned" ? "open" : word}`);
  return parts.length
    ? `Last ${outcomes.length === 1 ? "slot" : `${outcomes.length} slots`}: ${parts.join(", ")}`
    : "Slots";
}

function walk(event) {
  const cells = [...event.currentTarget.children];
  const at = cells.indexOf(document.activeElement);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: cells.length - 1 }[event.key];
  if (to === undefined || at < 0 || !cells[to]) return;
  event.preventDefault();
  for (const cell of cells) cell.tabIndex = -1;
  cells[to].tabIndex = 0;
  cells[to].focus();
}

/// Lets Tab reach every strip: its newest slot, unless the reader left it elsewhere.
export function settle(host) {
  for (const strip of host.querySelectorAll(".strip")) {
    if (!strip.querySelector('[tabindex="0"]') && strip.lastElementChild) strip.lastElementChild.tabIndex = 0;
  }
}
