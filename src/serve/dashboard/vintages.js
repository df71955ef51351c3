// Earlier forecasts of the same series: which one is drawn with its intervals, and how it did.

import { h, renew } from "./dom.js";
import { exact } from "./time.js";
import { percent, plural, value } from "./format.js";
import { verdict } from "./chartdata.js";

/// The picker in `host`; `now` says what is shown, `select` and `others` take what was chosen. Returns how to draw it anew.
export function vintagePicker(host, now, select, others) {
  const slider = h("input", { type: "range", min: 0, step: 1, id: "vintage", class: "slider" });
  const to = (at) => {
    select(at);
    draw();
  };
  slider.oninput = () => to(Number(slider.max) - Number(slider.value));
  const button = (text, name, by) =>
    h(
      "button",
      {
        class: "button",
        "data-size": "square",
        type: "button",
        "aria-label": name,
        title: name,
        onclick: () => {
          const at = Math.min(Math.max(now().selected + by, 0), now().facts.vintages.length - 1);
          to(at);
        },
      },
      text,
    );
  const words = h("div", { class: "vintage-words", "aria-live": "polite" });
  const check = h("input", { type: "checkbox", id: "others", checked: true, onchange: () => others(check.checked) });
  const draw = () => {
    const { facts, axis, selected, zone, hasOthers } = now();
    const { vintages } = facts;
    const vintage = vintages[selected];
    if (!vintage) return renew(words, h("p", { class: "muted" }, "No forecast of this series has been published yet."));
    slider.max = vintages.length - 1;
    slider.value = vintages.length - 1 - selected;
    check.checked = hasOthers;
    const issued = exact(vintage.issued_at_ms, zone);
    slider.setAttribute(
      "aria-valuetext",
      `issued ${issued}, ${selected === 0 ? "the newest" : `${selected} before the newest`}`,
    );
    renew(
      words,
      h(
        "p",
        {},
        h("strong", {}, `Issued ${issued}`),
        ` · ${selected === 0 ? "newest" : `${selected} before the newest`} · ${vintage.model_id} v${vintage.model_version} ${vintage.cutoff_ms === null ? "" : ` · cutoff ${exact(vintage.cutoff_ms, zone)}`}`,
        vintage.status === "ok" ? "" : h("span", { class: "tag", "data-kind": "warn" }, vintage.status),
      ),
      h("p", { class: "muted" }, told(verdict(axis, vintage), vintage)),
    );
  };
  const { facts } = now();
  const hasSeveral = facts.vintages.length > 1;
  host.replaceChildren(
    ...(hasSeveral
      ? [
          h(
            "div",
            { class: "vintage-row" },
            h("label", { for: "vintage" }, "Forecast"),
            button("‹", "Earlier forecast", 1),
            slider,
            button("›", "Later forecast", -1),
            h("label", { class: "check" }, check, "show the others"),
          ),
        ]
      : []),
    words,
  );
  draw();
  return draw;
}

function told(found, { ds }) {
  if (!found) return `None of its ${plural(ds.length, "step")} has come true yet.`;
  const held = found.held.map(({ level, share }) => `${level} % interval held ${percent(share, 0)}`).join(", ");
  const of =
    found.known === found.steps
      ? `All ${plural(found.steps, "step")} have come true`
      : `${found.known} of ${plural(found.steps, "step")} ${found.known === 1 ? "has" : "have"} come true`;
  return `${of}: mean absolute error ${value(found.mae)}; ${held}.`;
}
