// Axes of charts: titles, marks, and enough room for what stands at them.

import { faded, font } from "./palette.js";
import { value } from "./format.js";

const PER_MARK = { wide: 84, narrow: 48 };

/// The axis of values, with its title.
export function valueAxis(colors, label) {
  return {
    ...look(colors),
    label,
    labelSize: 24,
    gap: 8,
    ticks: { show: false },
    values: (_, marks) => marks.map(value),
    size: (self, texts, index, cycle) => {
      const axis = self.axes[index];
      if (cycle > 1) return axis._size;
      const longest = (texts ?? []).reduce((a, b) => (b.length > a.length ? b : a), "");
      self.ctx.font = axis.font[0];
      return Math.max(40, Math.ceil(self.ctx.measureText(longest).width / devicePixelRatio) + axis.gap + 4);
    },
  };
}

/// The axis below: `marks` says where, `texts` what.
export function lowerAxis(colors, label, marks, texts) {
  return {
    ...look(colors),
    label,
    labelSize: 24,
    size: 44,
    gap: 6,
    ticks: { stroke: colors["line-strong"], width: 1, size: 4 },
    splits: (self, _, min, max) =>
      marks(
        min,
        max,
        Math.max(
          2,
          Math.floor(self.bbox.width / devicePixelRatio / (self.width < 600 ? PER_MARK.narrow : PER_MARK.wide)),
        ),
      ),
    values: (_, found) => texts(found),
  };
}

function look(colors) {
  return {
    stroke: colors["ink-2"],
    font: font(12),
    labelFont: font(12, 550),
    grid: { stroke: faded(colors["line-strong"], 0.28), width: 1 },
  };
}
