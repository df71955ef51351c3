// Addresses of pages: all of them behind the #, so that the daemon serves one document.

/// Pages by their first words; `:name` takes any one part.
const PAGES = [
  ["overview", []],
  ["series", ["job", ":job"]],
  ["series", ["job", ":job", "series"]],
  ["series", ["job", ":job", "series", ":id"]],
  ["models", ["job", ":job", "models"]],
  ["backtests", ["job", ":job", "backtests"]],
  ["runs", ["runs"]],
  ["run", ["run", ":id"]],
];

/// The page of an address: its name, its parts, its query.
export function parse(hash) {
  const [where, query] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const parts = where
    .split("/")
    .filter((part) => part !== "")
    .map(decoded);
  for (const [page, pattern] of PAGES) {
    if (pattern.length !== parts.length) continue;
    if (!pattern.every((word, at) => word.startsWith(":") || word === parts[at])) continue;
    const named = pattern.flatMap((word, at) => (word.startsWith(":") ? [[word.slice(1), parts[at]]] : []));
    return { page, ...Object.fromEntries(named), query: Object.fromEntries(new URLSearchParams(query ?? "")) };
  }
  return { page: "unknown", query: {} };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/// The address of a page.
export function href(parts, query = {}) {
  const pairs = Object.entries(query).filter(([, value]) => value);
  const tail = pairs.length ? `?${new URLSearchParams(pairs)}` : "";
  return `#/${parts.map((part) => encodeURIComponent(part)).join("/")}${tail}`;
}
