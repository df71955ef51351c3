// How the daemon is, in a word and, where a reader has to know more, in a sentence.

import { millis, short, span, zoneOf } from "./time.js";

/// Kind (ok, warn, bad, wait), a word, and title and detail of the banner where there is one; `locked` where the token is missing.
export function health({ overview, trouble, heard }) {
  if (trouble) return unreachable(trouble, heard);
  if (!overview) return { kind: "wait", word: "Connecting" };
  const { ready, draining, reload, now } = overview;
  if (draining) {
    return {
      kind: "warn",
      word: "Shutting down",
      title: "Shutting down",
      detail: "The daemon finishes what is running and starts nothing new. What is planned runs after the next start.",
    };
  }
  if (!ready) {
    return {
      kind: "warn",
      word: "Starting",
      title: "Starting",
      detail: "The daemon is reading its state. Slots that passed meanwhile are planned by their policy.",
    };
  }
  if (reload && !reload.applied) {
    const at = short(millis(reload.at), zoneOf(null), millis(now));
    return {
      kind: "warn",
      word: "Config rejected",
      title: "The changed config was rejected",
      detail: `At ${at}: ${reload.reason ?? "no reason given"}. The daemon goes on with the one before; s4cast validate -c FILE shows every problem.`,
    };
  }
  const late = overview.jobs.filter((job) => Object.values(job.last ?? {}).some((run) => run?.outcome === "failed"));
  if (late.length)
    return { kind: "bad", word: late.length === 1 ? `${late[0].job} fails` : `${late.length} jobs fail` };
  return { kind: "ok", word: "Running" };
}

function unreachable(trouble, heard) {
  const since = heard ? ` What is shown is ${span((Date.now() - heard) / 1000)} old.` : "";
  if (trouble.status === 401) {
    return {
      kind: "warn",
      word: "Locked",
      title: "Reading needs the token",
      detail: "This daemon shows what it knows to whoever has its token.",
      locked: true,
    };
  }
  if (trouble.status === 429) {
    return { kind: "warn", word: "Slowed down", title: "Too many requests", detail: `${trouble.message}.${since}` };
  }
  if (trouble.status === 503) {
    return {
      kind: "warn",
      word: "Not ready",
      title: "The daemon does not answer now",
      detail: `${trouble.message}.${since} Asking again every 5 s.`,
    };
  }
  return {
    kind: "bad",
    word: "Unreachable",
    title: "Unreachable",
    detail: `${trouble.message}${since} Asking again every 5 s.`,
  };
}
