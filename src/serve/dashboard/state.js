// What the reader chose, remembered by the browser, and what the daemon said last.

const listeners = new Set();

/// Choices and the newest overview.
export const state = {
  zone: read("zone", ["source", "utc", "browser"], "source"),
  theme: read("theme", ["auto", "light", "dark"], "auto"),
  overview: null,
  /// Why there is no newer overview; null while there is.
  trouble: null,
};

function read(name, allowed, otherwise) {
  try {
    const value = localStorage.getItem(`s4cast.${name}`);
    return allowed.includes(value) ? value : otherwise;
  } catch {
    return otherwise;
  }
}

/// Changes a choice and keeps it.
export function choose(name, value) {
  state[name] = value;
  try {
    localStorage.setItem(`s4cast.${name}`, value);
  } catch {
    // It holds until the page is left.
  }
  tell(name);
}

/// Calls back with what changed: zone, theme, overview. Returns how to stop.
export function listen(callback) {
  listeners.add(callback);
  return () => listeners.delete(callback);
}

/// Tells everybody that something changed.
export function tell(what) {
  for (const callback of [...listeners]) callback(what);
}

/// One job of the overview; null if it is not there, or nothing is yet.
export function jobNamed(name) {
  return state.overview?.jobs.find((job) => job.job === name) ?? null;
}
