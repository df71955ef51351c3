// Where the marks of a time axis stand: on round figures of the wall clock of a zone, over its changes, too.

import { civil, fromWall, monthName, offset } from "./time.js";

const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];

/// Distances that marks may have: milliseconds of the wall clock, or months.
const STEPS = [
  ...[1, 2, 5, 10, 15, 30].map((n) => ({ ms: n * MINUTE })),
  ...[1, 2, 3, 6, 12].map((n) => ({ ms: n * HOUR })),
  ...[1, 2, 3, 7, 14].map((n) => ({ ms: n * DAY })),
  ...[1, 3, 6, 12, 24, 60, 120, 240].map((months) => ({ months, ms: months * 30.44 * DAY })),
];

/// Monday, 1970-01-05: weeks begin there.
const MONDAY = 4 * DAY;

/// Instants of at most `most` marks between two instants.
export function ticks(min, max, zone, most) {
  const step = STEPS.find(({ ms }) => (max - min) / ms <= most) ?? STEPS.at(-1);
  const walls = step.months ? months(min, max, zone, step.months) : rounds(min, max, zone, step.ms);
  const marks = walls.map((wall) => fromWall(wall, zone)).filter((ms) => ms >= min && ms <= max);
  return marks.filter((ms, at) => at === 0 || ms > marks[at - 1]);
}

function rounds(min, max, zone, ms) {
  const start = ms % (7 * DAY) === 0 ? MONDAY : 0;
  const [from, to] = [min + offset(min, zone) - HOUR, max + offset(max, zone) + HOUR];
  const walls = [];
  for (let wall = Math.ceil((from - start) / ms) * ms + start; wall <= to; wall += ms) walls.push(wall);
  return walls;
}

function months(min, max, zone, size) {
  const first = civil(min, zone);
  let at = Math.floor((first.year * 12 + first.month - 1) / size) * size;
  const walls = [];
  for (; ; at += size) {
    const wall = Date.UTC(Math.floor(at / 12), at % 12, 1);
    if (wall > max + DAY) return walls;
    walls.push(wall);
  }
}

/// What stands at each mark: the time and, where the day is another one than at the mark before, the day below it.
export function labels(marks, zone) {
  const shown = marks.map((ms) => civil(ms, zone));
  const isDaily = shown.every((c) => c.hour === 0 && c.minute === 0);
  const isMonthly = isDaily && shown.every((c) => c.day === 1);
  return shown.map((c, at) => {
    const before = shown[at - 1];
    const isNewYear = !before || before.year !== c.year;
    if (isMonthly) return isNewYear ? `${monthName(c.month)}\n${c.year}` : monthName(c.month);
    const date = `${c.day} ${monthName(c.month)}`;
    if (isDaily) return isNewYear ? `${date}\n${c.year}` : date;
    const time = `${String(c.hour).padStart(2, "0")}:${String(c.minute).padStart(2, "0")}`;
    return before && before.day === c.day && before.month === c.month
      ? time
      : `${time}\n${date}${!before ? ` ${c.year}` : ""}`;
  });
}
