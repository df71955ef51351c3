// History and forecasts of a series on one time axis, as the chart wants them: one column for each line.

/// One axis with everything: `x` ascending; `observed`; for each forecast its place on the axis.
///
/// A value that is missing is null and breaks its line; a time that a line knows nothing of is undefined and does not.
export function align(history, vintages) {
  const times = new Set(history.ds);
  for (const vintage of vintages) for (const ms of vintage.ds) times.add(ms);
  const x = Float64Array.from(times).sort();
  const at = new Map();
  x.forEach((ms, index) => at.set(ms, index));
  const observed = column(x.length, at, history.ds, history.y);
  return { x: Array.from(x), at, observed, medians: vintages.map((v) => column(x.length, at, v.ds, v.yhat)) };
}

function column(length, at, times, values) {
  const filled = new Array(length);
  times.forEach((ms, index) => (filled[at.get(ms)] = values[index] ?? null));
  return filled;
}

/// Bounds of a forecast on the axis, the widest interval first.
export function fan(axis, vintage) {
  const wideFirst = [...vintage.intervals].sort((a, b) => b.level - a.level);
  return wideFirst.map(({ level, lower, upper }) => ({
    level,
    lower: column(axis.x.length, axis.at, vintage.ds, lower),
    upper: column(axis.x.length, axis.at, vintage.ds, upper),
  }));
}

/// How a forecast did where its time has come: null while nothing of it has.
export function verdict(axis, vintage) {
  let [known, total] = [0, 0];
  const inside = vintage.intervals.map(() => 0);
  vintage.ds.forEach((ms, step) => {
    const actual = axis.observed[axis.at.get(ms)];
    const point = vintage.yhat[step];
    if (actual === null || actual === undefined || point === null) return;
    known += 1;
    total += Math.abs(actual - point);
    vintage.intervals.forEach(
      ({ lower, upper }, at) => (inside[at] += actual >= lower[step] && actual <= upper[step] ? 1 : 0),
    );
  });
  if (!known) return null;
  return {
    known,
    steps: vintage.ds.length,
    mae: total / known,
    held: vintage.intervals.map(({ level }, at) => ({ level, share: inside[at] / known })),
  };
}

/// Smallest and largest of what the other forecasts say at a place of the axis, and how many say anything.
export function others(axis, selected, index) {
  const said = axis.medians
    .filter((_, at) => at !== selected)
    .map((median) => median[index])
    .filter((v) => v !== null && v !== undefined);
  return said.length ? { least: Math.min(...said), most: Math.max(...said), count: said.length } : null;
}

/// The stretch that is shown at first: the forecast and about four times as much of what came before.
export function recent(axis, vintages) {
  const x = axis.x;
  if (!x.length) return [0, 1];
  const newest = vintages[0];
  const end = x.at(-1);
  if (!newest?.ds.length) return [x[Math.max(0, x.length - 200)], end];
  const [cutoff, last] = [newest.cutoff_ms ?? newest.ds[0], newest.ds.at(-1)];
  const width = Math.max(last - cutoff, 1);
  return [Math.max(x[0], cutoff - 4 * width), Math.max(end, last)];
}
