// Small pictures beside figures.

import { svg } from "./dom.js";

const [WIDTH, HEIGHT] = [200, 72];

/// A line through some numbers with 0 marked; nulls are gaps. `label` says in words what is seen.
export function sparkline(values, label) {
  const known = values.filter((v) => v !== null && Number.isFinite(v));
  const box = {
    class: "spark",
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": label,
  };
  if (known.length < 2) return svg("svg", { ...box, "aria-label": "too few runs for a line" });
  const [low, high] = [Math.min(0, ...known), Math.max(0, ...known)];
  const y = (v) => (HEIGHT - 2 - ((v - low) / (high - low || 1)) * (HEIGHT - 4)).toFixed(1);
  const x = (at) => ((at / (values.length - 1)) * WIDTH).toFixed(1);
  let path = "";
  values.forEach((v, at) => {
    if (v === null || !Number.isFinite(v)) return;
    const open = at > 0 && values[at - 1] !== null && Number.isFinite(values[at - 1]);
    path += `${open ? "L" : "M"}${x(at)} ${y(v)}`;
  });
  return svg(
    "svg",
    box,
    svg("line", { class: "zero", x1: 0, x2: WIDTH, y1: y(0), y2: y(0) }),
    svg("path", { class: "path", d: path }),
  );
}

/// How much an interval held (bar) beside what it promised (tick), from 50 to 100 %, or from 0 where it held less.
export function coverBar(held, promised) {
  const from = Math.min(held, promised) < 0.5 ? 0 : 0.5;
  const x = (share) => Math.max(0, Math.min(100, ((share - from) / (1 - from)) * 100));
  return svg(
    "svg",
    { class: "bar", viewBox: "0 0 100 12", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "rail", x: 0, y: 3, width: 100, height: 6 }),
    svg("rect", { class: "held", x: 0, y: 3, width: x(held), height: 6 }),
    svg("rect", { class: "promise", x: x(promised) - 0.6, y: 0, width: 1.2, height: 12 }),
  );
}
