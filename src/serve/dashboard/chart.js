// The chart of a series: what came, what is expected with its intervals, and what was expected before.

import uPlot from "./uPlot.esm.js";
import { faded, font, palette } from "./palette.js";
import { lowerAxis, valueAxis } from "./axes.js";
import { labels, ticks } from "./ticks.js";

/// Draws into `host`. `model` holds the axis, the fan of the selected forecast, anomalies, cutoff, zone and titles;
/// `heard` is called with the place of the cursor and with every new stretch of time.
export function seriesChart(host, model, heard) {
  const colors = palette();
  const levels = model.fan.length;
  const older = model.axis.medians.length;
  const chart = new uPlot(options(host, model, colors, levels, older, heard), columns(model), host);
  const sizes = new ResizeObserver(() => chart.setSize(sizeOf(host)));
  sizes.observe(host);
  return {
    chart,
    /// Another forecast is selected: same lines, other values.
    renew(next) {
      const { min, max } = chart.scales.x;
      Object.assign(model, next);
      chart.setData(columns(model), false);
      chart.setScale("x", { min, max });
    },
    destroy() {
      sizes.disconnect();
      chart.destroy();
    },
  };
}

const sizeOf = (host) => ({ width: host.clientWidth, height: host.clientHeight });

/// x, the other forecasts, bounds from the widest interval inwards, the median, what was observed.
function columns({ axis, fan, selected, hasOthers }) {
  const none = new Array(axis.x.length);
  return [
    axis.x,
    ...axis.medians.map((median, at) => (hasOthers && at !== selected ? median : none)),
    ...fan.flatMap(({ lower, upper }) => [lower, upper]),
    axis.medians[selected] ?? none,
    axis.observed,
  ];
}

function options(host, model, colors, levels, older, heard) {
  const bounds = older + 1;
  const alone = (self, at) => at === 0 || self.data[self.data.length - 1].length < 2;
  const thin = { stroke: faded(colors.accent, 0.35), width: 1, points: { show: false } };
  const bound = { stroke: faded(colors.accent, 0.28), width: 1, points: { show: false } };
  const series = [
    {},
    ...Array.from({ length: older }, () => ({ ...thin })),
    ...Array.from({ length: levels * 2 }, () => ({ ...bound })),
    { stroke: colors.accent, width: 2, points: { show: (self, at) => alone(self, at) && false } },
    { stroke: colors.ink, width: 1.25, points: { size: 4, fill: colors.ink, show: isSparse } },
  ];
  const bands = Array.from({ length: levels }, (_, at) => ({
    series: [bounds + at * 2 + 1, bounds + at * 2],
    fill: faded(colors.accent, at === 0 ? 0.13 : 0.17),
  }));
  return {
    ...sizeOf(host),
    series,
    bands,
    ms: 1,
    legend: { show: false },
    padding: [16, 16, 0, 0],
    scales: {
      x: { time: false, min: model.range[0], max: model.range[1], range: (_, min, max) => [min, max] },
      y: { range: (_, min, max) => roomy(min, max) },
    },
    axes: [
      lowerAxis(
        colors,
        model.xTitle,
        (min, max, most) => ticks(min, max, model.zone, most),
        (marks) => labels(marks, model.zone),
      ),
      valueAxis(colors, model.yTitle),
    ],
    cursor: {
      drag: { x: true, y: false, setScale: true, dist: 6 },
      points: { show: false },
      y: false,
      bind: { dblclick: () => null },
    },
    hooks: {
      draw: [(self) => future(self, model, colors), (self) => anomalies(self, model, colors)],
      setCursor: [(self) => heard.cursor(self.cursor.idx ?? null)],
      setScale: [(self, key) => key === "x" && heard.range(self.scales.x.min, self.scales.x.max)],
    },
  };
}

/// Single values are dots where there are few enough to see them.
function isSparse(self) {
  const { min, max } = self.scales.x;
  const from = self.valToIdx(min);
  return (self.valToIdx(max) - from) * 10 < self.bbox.width / devicePixelRatio;
}

function roomy(min, max) {
  if (min === null || max === null) return [0, 1];
  const room = (max - min || Math.abs(max) || 1) * 0.06;
  return [min - room, max + room];
}

/// The cutoff of the selected forecast: a line, and its word.
function future(self, { cutoff }, colors) {
  if (cutoff === null) return;
  const { ctx, bbox } = self;
  const x = Math.round(self.valToPos(cutoff, "x", true));
  if (x < bbox.left || x > bbox.left + bbox.width) return;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = colors["ink-3"];
  ctx.lineWidth = ratio;
  ctx.setLineDash([4 * ratio, 4 * ratio]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.fillStyle = colors["ink-2"];
  ctx.font = font(12 * ratio);
  const isLeft = x > bbox.left + bbox.width / 2;
  ctx.textAlign = isLeft ? "right" : "left";
  ctx.textBaseline = "bottom";
  const place = [x + (isLeft ? -6 : 6) * ratio, bbox.top + bbox.height - 4 * ratio];
  ctx.setLineDash([]);
  ctx.strokeStyle = colors.surface;
  ctx.lineWidth = 4 * ratio;
  ctx.strokeText("cutoff", ...place);
  ctx.fillText("cutoff", ...place);
  ctx.restore();
}

/// Anomalies: a triangle that points away from the line.
function anomalies(self, model, colors) {
  const { ctx, bbox } = self;
  const size = 5 * devicePixelRatio;
  ctx.save();
  ctx.fillStyle = colors.surface;
  ctx.strokeStyle = colors.bad;
  ctx.lineWidth = 1.75 * devicePixelRatio;
  for (const { ms, y, direction } of model.anomalies) {
    const [x, top] = [self.valToPos(ms, "x", true), self.valToPos(y, "y", true)];
    if (x < bbox.left || x > bbox.left + bbox.width || top < bbox.top - size || top > bbox.top + bbox.height + size)
      continue;
    const side = direction === "above" ? -1 : 1;
    ctx.beginPath();
    ctx.moveTo(x, top + side * size * 2.6);
    ctx.lineTo(x - size, top + side * size);
    ctx.lineTo(x + size, top + side * size);
    ctx.closePath();
    ctx.fill();
    ctx.stroke();
  }
  ctx.restore();
}
