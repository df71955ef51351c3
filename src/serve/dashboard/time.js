// Instants as people read them, in the zone that the reader chose.

import { state } from "./state.js";

const MINUTE = 60_000;
const formats = new Map();
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Name of the month, from 1.
export const monthName = (month) => MONTHS[month - 1];

/// Zone of the browser.
export const browserZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/// The zone that times of a job are shown in.
export function zoneOf(job) {
  if (state.zone === "utc") return "UTC";
  return state.zone === "browser" ? browserZone() : job?.tz || "UTC";
}

/// Milliseconds since 1970 of an ISO text; null of nothing.
export const millis = (iso) => (iso === null || iso === undefined ? null : Date.parse(iso));

function format(zone) {
  if (!formats.has(zone)) {
    const options = {
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    };
    let made;
    try {
      made = new Intl.DateTimeFormat("en-US", { ...options, timeZone: zone });
    } catch {
      // A zone that the browser does not know is shown as UTC, and labelled with its offset.
      made = new Intl.DateTimeFormat("en-US", { ...options, timeZone: "UTC" });
    }
    formats.set(zone, made);
  }
  return formats.get(zone);
}

/// What clock and calendar show in a zone.
export function civil(ms, zone) {
  if (zone === "UTC") {
    const d = new Date(ms);
    return {
      year: d.getUTCFullYear(),
      month: d.getUTCMonth() + 1,
      day: d.getUTCDate(),
      hour: d.getUTCHours(),
      minute: d.getUTCMinutes(),
      second: d.getUTCSeconds(),
    };
  }
  const found = {};
  for (const { type, value } of format(zone).formatToParts(ms)) if (type !== "literal") found[type] = Number(value);
  return found;
}

/// Milliseconds that the wall clock of a zone is ahead of UTC.
export function offset(ms, zone) {
  if (zone === "UTC") return 0;
  const c = civil(ms, zone);
  return Date.UTC(c.year, c.month - 1, c.day, c.hour, c.minute, c.second) - Math.floor(ms / 1000) * 1000;
}

/// The instant at which the wall clock shows this, itself given as milliseconds; after a gap, the first one that does.
export function fromWall(wall, zone) {
  const first = wall - offset(wall, zone);
  return wall - offset(first, zone);
}

const two = (n) => String(n).padStart(2, "0");

/// 2026-03-29
export function day(ms, zone) {
  const c = civil(ms, zone);
  return `${c.year}-${two(c.month)}-${two(c.day)}`;
}

/// 2026-03-29 18:30
export function stamp(ms, zone) {
  const c = civil(ms, zone);
  return `${c.year}-${two(c.month)}-${two(c.day)} ${two(c.hour)}:${two(c.minute)}`;
}

/// 18:30:05
export function clock(ms, zone) {
  const c = civil(ms, zone);
  return `${two(c.hour)}:${two(c.minute)}:${two(c.second)}`;
}

/// +02:00, for the hour that the clock shows twice.
export function offsetText(ms, zone) {
  const minutes = Math.round(offset(ms, zone) / MINUTE);
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "−" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/// 2026-03-29 18:30 +02:00
export const exact = (ms, zone) => `${stamp(ms, zone)} ${offsetText(ms, zone)}`;

/// 2026-03-29 18:30, without the year where it is this one, or without the day where it is today.
export function short(ms, zone, now) {
  const [then, today] = [day(ms, zone), day(now, zone)];
  const time = stamp(ms, zone).slice(11);
  if (then === today) return time;
  const c = civil(ms, zone);
  const date = `${c.day} ${monthName(c.month)}`;
  return then.slice(0, 4) === today.slice(0, 4) ? `${date} ${time}` : `${date} ${c.year} ${time}`;
}

const SPANS = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60],
  ["s", 1],
];

/// 2 d 3 h: the two largest units of some seconds.
export function span(seconds) {
  const size = Math.abs(seconds);
  if (size > 0 && size < 1) return `${Math.round(size * 1000)} ms`;
  if (size < 10) return `${Math.round(size)} s`;
  const whole = Math.round(size);
  const at = SPANS.findIndex(([, unit]) => whole >= unit);
  const [name, unit] = SPANS[at];
  const next = SPANS[at + 1];
  const rest = next && unit < 86_400 * 10 ? Math.floor((whole % unit) / next[1]) : 0;
  return `${Math.floor(whole / unit)} ${name}${rest && whole / unit < 10 ? ` ${rest} ${next[0]}` : ""}`;
}

/// in 4 min, 2 h ago
export function relative(ms, now) {
  const seconds = (ms - now) / 1000;
  if (Math.abs(seconds) < 5) return "now";
  return seconds > 0 ? `in ${span(seconds)}` : `${span(seconds)} ago`;
}
