// The world that the browser tests look at: small sources with known oddities, written anew for every run.

import { writeFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";

/// An id that would run as a script if it were ever read as HTML.
export const EVIL = "<img src=x onerror=alert(1)>";

export const HOUR = 3_600_000;

/// Hours of history of the hourly job, and series of the wide one.
export const HOURS = 10_400;
export const MANY = 100_000;

const iso = (ms) => new Date(ms).toISOString().slice(0, 19) + "Z";

/// Numbers in [-1, 1) that are the same every time.
function noise(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

/// Writes all sources into a folder; `now` is when the newest hour ends.
export function writeSources(folder, now) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "load.csv"), hourly(now));
  writeFileSync(join(folder, "many.csv"), wide(now));
  writeFileSync(join(folder, "small.csv"), small(now));
  writeFileSync(join(folder, "bad.csv"), "ds,y\n2024-01-01,1\n2024-01-02,two\n");
}

/// Three hourly series with a day in them, a gap, two spikes, and one id that is a trap.
function hourly(now) {
  const rows = ["unique_id,ds,y"];
  for (const [place, id] of ["north", "south", EVIL].entries()) {
    const random = noise(7 + place);
    for (let back = HOURS; back >= 1; back -= 1) {
      if (place === 0 && back > 300 && back <= 312) continue;
      const ms = now - back * HOUR;
      const hour = (ms / HOUR) % 24;
      const spike = place === 0 && (back === 9 || back === 31) ? 40 : 0;
      rows.push(`${id},${iso(ms)},${(100 + 20 * Math.sin((hour / 12) * Math.PI) + 2 * random() + spike).toFixed(2)}`);
    }
  }
  return rows.join("\n") + "\n";
}

/// One short hourly series.
function small(now) {
  const random = noise(3);
  const rows = Array.from({ length: 500 }, (_, at) => now - (500 - at) * HOUR).map(
    (ms) => `${iso(ms)},${(50 + 10 * Math.sin((((ms / HOUR) % 24) / 12) * Math.PI) + random()).toFixed(2)}`,
  );
  return `ds,y\n${rows.join("\n")}\n`;
}

/// Very many short daily series.
function wide(now) {
  const rows = ["unique_id,ds,y"];
  const day = Math.floor(now / (24 * HOUR)) * 24 * HOUR;
  for (let id = 0; id < MANY; id += 1) {
    const name = `store_${String(id % 1000).padStart(3, "0")}/item_${String(id).padStart(6, "0")}`;
    for (let back = 6; back >= 1; back -= 1)
      rows.push(`${name},${iso(day - back * 24 * HOUR).slice(0, 10)},${(id * 7 + back * 3) % 50}`);
  }
  return rows.join("\n") + "\n";
}
