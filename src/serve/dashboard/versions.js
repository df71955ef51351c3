// The table of a job's versions: how good each is, and a way to let it serve.

import { h } from "./dom.js";
import { path } from "./api.js";
import { change } from "./change.js";
import { bytes, count, figure, percent, plural, skillWords } from "./format.js";
import { exact, millis, span, stamp } from "./time.js";

/// The table; `view` holds the zone, which details stand open, how to flip them, and what to do after a change.
export function versions(job, { versions, champion }, view) {
  const heads = [
    "Version",
    `Trained, ${view.zone}`,
    "Unseen values: MASE",
    "Held-back tail: MASE",
    "Coverage there",
    "More",
    "",
  ];
  return h(
    "section",
    { class: "card", "aria-labelledby": "versions" },
    h("div", { class: "card-head" }, h("h2", { id: "versions" }, "Versions")),
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": "versions" },
      h(
        "table",
        { class: "roomy versions", role: "table" },
        h(
          "thead",
          { role: "rowgroup" },
          h(
            "tr",
            { role: "row" },
            heads.map((text) => h("th", { scope: "col", role: "columnheader" }, text)),
          ),
        ),
        h(
          "tbody",
          { role: "rowgroup" },
          versions.map((version) => row(job, version, champion, view)),
        ),
      ),
    ),
  );
}

/// A cell; on a phone, where there is no head above it, the name stands before it.
const cell = (name, ...content) => h("td", { role: "cell", "data-label": name || null }, content);

function row(job, version, champion, { zone, changed, opened, flip }) {
  const { manifest, broken } = version;
  const tags = [
    version.champion && ["main", "serves"],
    version.shadow && ["", "shadow"],
    version.pinned && ["", "pinned"],
    broken && ["bad", "broken"],
    manifest?.judgement?.reasons?.length && ["warn", "held back"],
  ];
  const name = cell(
    "",
    h("strong", {}, `v${version.version}`),
    " ",
    h(
      "span",
      { class: "tags" },
      tags.filter(Boolean).map(([kind, text]) => h("span", { class: "tag", "data-kind": kind || null }, text)),
    ),
  );
  const act =
    version.champion || broken
      ? null
      : h(
          "button",
          {
            class: "button",
            "data-size": "s",
            type: "button",
            "aria-label": `Promote version ${version.version}`,
            onclick: () =>
              change(
                {
                  title: `Promote version ${version.version} of ${job}?`,
                  verb: "Promote",
                  text: `Version ${version.version} forecasts from the next slot on${champion === null ? "" : `, in place of version ${champion}`}. The gate is not asked; the decision is recorded as yours.`,
                  where: path(["models", job, "promote"]),
                  body: { version: version.version },
                  command: `s4cast models promote ${version.version} --job ${job} --state STATE`,
                  done: (answer) => `Version ${answer.version} of ${job} serves now`,
                },
                changed,
              ),
          },
          "Promote",
        );
  if (!manifest)
    return h(
      "tr",
      { "data-key": String(version.version), role: "row" },
      name,
      h("td", { role: "cell", colspan: 6, class: "bad break" }, broken ?? "Its manifest cannot be read"),
    );
  const trials = manifest.judgement?.trials ?? [];
  const scores = manifest.fits.filter((fit) => fit.holdout);
  const lines = (list, text) =>
    list.length
      ? list.map((part) =>
          h(
            "div",
            { class: "nowrap" },
            list.length > 1 ? h("span", { class: "muted" }, `${part.frequency} `) : null,
            text(part),
          ),
        )
      : h("span", { class: "muted" }, "not compared");
  const isOpen = opened.has(version.version);
  const named = manifest.judgement?.reasons?.length ? "Why held back" : "Details";
  const toggle = h(
    "button",
    {
      class: "link",
      type: "button",
      "aria-expanded": String(isOpen),
      "aria-label": `${named} of version ${version.version}`,
      onclick: () => flip(version.version),
    },
    [h("span", { "aria-hidden": "true" }, isOpen ? "▾ " : "▸ "), named],
  );
  const line = h(
    "tr",
    { "data-key": String(version.version), role: "row" },
    name,
    cell(
      "Trained",
      h("div", { class: "nowrap" }, stamp(millis(manifest.created_at), zone)),
      h("div", { class: "muted small nowrap" }, `data to ${stamp(millis(manifest.cutoff), zone)}`),
    ),
    cell(
      "Unseen values: MASE",
      lines(trials, (trial) => [
        h("strong", {}, figure(trial.mase, 2)),
        h(
          "span",
          { class: "muted" },
          ` champion ${figure(trial.mase_champion, 2)}, naive ${figure(trial.mase_seasonal_naive, 2)}`,
        ),
      ]),
    ),
    cell(
      "Held-back tail: MASE",
      lines(scores, ({ holdout }) => [
        figure(holdout.mase, 2),
        h(
          "span",
          { class: "muted" },
          holdout.mase_seasonal_naive ? ` ${skillWords(1 - holdout.mase / holdout.mase_seasonal_naive)}` : "",
        ),
      ]),
    ),
    cell(
      "Coverage there",
      lines(scores, ({ holdout }) =>
        holdout.coverage.map(([level, share]) => `${level} %: ${percent(share, 0)}`).join(", "),
      ),
    ),
    cell("", toggle),
    cell("", act),
  );
  if (!isOpen) return line;
  return [
    line,
    h(
      "tr",
      { "data-key": `${version.version} more`, role: "row", class: "more" },
      h("td", { role: "cell", colspan: 7 }, more(manifest, zone)),
    ),
  ];
}

/// What else is known of a version, and why it was held back.
function more(manifest, zone) {
  const { judgement, fits } = manifest;
  const said = [
    ...(judgement?.reasons ?? []).map((text) => h("li", { class: "poor" }, text)),
    ...(judgement?.notes ?? []).map((text) => h("li", {}, text)),
    ...fits.flatMap((fit) => fit.notes.map((text) => h("li", {}, text))),
  ];
  const pairs = [
    ["Asked for", `${manifest.kind}, ${plural(manifest.horizon, "step")}, seed ${manifest.seed}`],
    ["Serves as", fits.map((fit) => `${fit.model_id} for ${count(fit.series)} series of ${fit.frequency}`).join("; ")],
    [
      "Learnt from",
      `${plural(manifest.series, "series", "series")}, ${plural(manifest.rows, "row")}, in ${span(manifest.seconds)}`,
    ],
    ["Begun from", manifest.warm_from ? `version ${manifest.warm_from.version}` : "nothing"],
    ["Slot", exact(millis(manifest.slot), zone)],
    ["Size", bytes(manifest.weights_bytes)],
    ["Weights", manifest.weights_sha256.slice(0, 16)],
    ["Data", manifest.data_fingerprint.slice(0, 16)],
  ];
  return [
    said.length ? h("ul", { class: "said" }, said) : null,
    h(
      "dl",
      { class: "kv wide small" },
      pairs.map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, text))),
    ),
  ];
}
