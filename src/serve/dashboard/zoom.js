// Moving through time: drag, wheel, buttons, keys and fingers all end in one stretch that is shown.

/// Ties a chart to its ways to move. `bounds` says the first and last instant, `home` the stretch at first, `step` how far
/// apart values are; `hint` is called where a wheel turned without meaning the chart.
export function zoom(chart, focus, { bounds, home, step, hint, walk }) {
  const show = (min, max) => {
    const [first, last] = bounds();
    const width = Math.min(Math.max(max - min, step() * 4), last - first);
    const from = Math.min(Math.max(min, first), last - width);
    chart.setScale("x", { min: from, max: from + width });
  };
  const by = (factor, at = 0.5) => {
    const { min, max } = chart.scales.x;
    const pivot = min + (max - min) * at;
    show(pivot - (pivot - min) * factor, pivot + (max - pivot) * factor);
  };
  const pan = (share) => {
    const { min, max } = chart.scales.x;
    show(min + (max - min) * share, max + (max - min) * share);
  };
  const acts = {
    in: () => by(0.5),
    out: () => by(2),
    left: () => pan(-0.25),
    right: () => pan(0.25),
    home: () => show(...home()),
    all: () => show(...bounds()),
  };
  const KEYS = {
    "+": "in",
    "=": "in",
    "-": "out",
    _: "out",
    ArrowLeft: "left",
    ArrowRight: "right",
    0: "home",
    Home: "home",
  };

  focus.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.shiftKey && event.key.startsWith("Arrow")) {
      const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!way) return;
      event.preventDefault();
      walk(way);
      return;
    }
    const act = KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    acts[act]();
  };

  const over = chart.over;
  over.addEventListener(
    "wheel",
    (event) => {
      const isMeant = event.ctrlKey || event.metaKey || focus.contains(document.activeElement);
      if (!isMeant) return hint();
      event.preventDefault();
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))
        return pan((event.deltaX || event.deltaY) / 1500);
      by(Math.exp(Math.max(-300, Math.min(300, event.deltaY)) / 500), event.offsetX / over.clientWidth);
    },
    { passive: false },
  );
  over.addEventListener("dblclick", acts.home);
  over.addEventListener("mousedown", () => focus.focus({ preventScroll: true }));
  fingers(
    over,
    show,
    () => chart.scales.x,
    (x) => chart.setCursor({ left: x, top: 10 }),
  );
  return acts;
}

/// One finger moves along, two pull the stretch apart; up and down stay with the page.
function fingers(over, show, scale, touch) {
  const down = new Map();
  let start = null;
  const begin = () => {
    const { min, max } = scale();
    start = { min, max, at: [...down.values()].sort((a, b) => a - b) };
  };
  const at = (event) => event.clientX - over.getBoundingClientRect().left;
  over.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    down.set(event.pointerId, at(event));
    touch(at(event));
    begin();
  });
  over.addEventListener("pointermove", (event) => {
    if (!down.has(event.pointerId)) return;
    down.set(event.pointerId, at(event));
    const now = [...down.values()].sort((a, b) => a - b);
    const width = over.clientWidth;
    const perPixel = (start.max - start.min) / width;
    if (now.length === 1)
      return show(start.min - (now[0] - start.at[0]) * perPixel, start.max - (now[0] - start.at[0]) * perPixel);
    const ratio = (start.at[1] - start.at[0]) / Math.max(10, now[1] - now[0]);
    const pivot = start.min + start.at[0] * perPixel;
    show(pivot - now[0] * perPixel * ratio, pivot + (width - now[0]) * perPixel * ratio);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    over.addEventListener(name, (event) => {
      if (down.delete(event.pointerId) && down.size) begin();
    });
  }
}
