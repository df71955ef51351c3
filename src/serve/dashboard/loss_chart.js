// Losses of several models along cutoffs or steps. Lines differ in colour, dash and width, the best model's stands out.

import uPlot from "./uPlot.esm.js";
import { h } from "./dom.js";
import { lowerAxis, valueAxis } from "./axes.js";
import { font, palette } from "./palette.js";
import { figure } from "./format.js";

const LOOKS = [
  ["accent", []],
  ["ink", [6, 3]],
  ["warn", [2, 3]],
  ["missed", [8, 3, 2, 3]],
  ["ok", [1, 3]],
  ["ink-3", [4, 4]],
];

/// A chart of `models` (best first) into `host`; `rows` hold where they stand and what each lost. Returns how to end it.
export function lossChart(host, { models, rows, where, xTitle, yTitle, marks, texts, name }) {
  const colors = palette();
  const shown = models.slice(0, LOOKS.length);
  const keys = h("ul", { class: "loss-keys" });
  const box = h("div", {
    class: "loss",
    role: "img",
    "aria-label": `${yTitle} of ${shown.join(", ")} by ${xTitle}; the table above holds the totals`,
  });
  host.append(keys, box);
  const tell = (at) =>
    keys.replaceChildren(
      ...shown.map((model, place) =>
        h(
          "li",
          {},
          line(colors, place),
          h("span", {}, model),
          h("strong", {}, at === null ? "" : figure(rows[at].loss[model], 2)),
        ),
      ),
      h("li", { class: "muted" }, at === null ? "" : name(rows[at])),
    );
  const data = [rows.map(where), ...shown.map((model) => rows.map((row) => row.loss[model] ?? null))];
  const look = (place) => ({
    stroke: colors[LOOKS[place][0]],
    width: place === 0 ? 2 : 1.25,
    dash: LOOKS[place][1],
    points: { show: rows.length < 40, size: 5 },
  });
  const size = () => ({ width: box.clientWidth, height: box.clientHeight });
  const chart = new uPlot(
    {
      ...size(),
      ms: 1,
      series: [{}, ...shown.map((_, place) => look(place))],
      legend: { show: false },
      padding: [16, 16, 0, 0],
      scales: {
        x: { time: false, range: (_, min, max) => (min === max ? [min - 1, max + 1] : [min, max]) },
        y: { range: (_, min, max) => [Math.min(0, min ?? 0), (max ?? 1) * 1.08] },
      },
      axes: [lowerAxis(colors, xTitle, marks, texts), valueAxis(colors, yTitle)],
      cursor: { drag: { x: false, y: false }, y: false, points: { show: false } },
      hooks: { setCursor: [(self) => tell(self.cursor.idx ?? null)] },
    },
    data,
    box,
  );
  const sizes = new ResizeObserver(() => chart.setSize(size()));
  sizes.observe(box);
  tell(null);
  return () => {
    sizes.disconnect();
    chart.destroy();
  };
}

/// A piece of a line, drawn as the chart draws it.
function line(colors, place) {
  const canvas = h("canvas", { width: 48, height: 16, "aria-hidden": "true", style: { width: "24px", height: "8px" } });
  const ctx = canvas.getContext("2d");
  ctx.font = font(12);
  ctx.strokeStyle = colors[LOOKS[place][0]];
  ctx.lineWidth = place === 0 ? 4 : 2.5;
  ctx.setLineDash(LOOKS[place][1].map((part) => part * 2));
  ctx.beginPath();
  ctx.moveTo(0, 8);
  ctx.lineTo(48, 8);
  ctx.stroke();
  return canvas;
}

/// Whole numbers, at most so many of them.
export function wholes(min, max, most) {
  const step =
    [1, 2, 4, 6, 12, 24, 48, 96, 168, 336].find((size) => (max - min) / size <= most) ?? Math.ceil((max - min) / most);
  const marks = [];
  for (let at = Math.ceil(min / step) * step; at <= max; at += step) marks.push(at);
  return marks;
}
