// What a slot wrote down, as names and values instead of braces.

import { h } from "./dom.js";
import { count, value } from "./format.js";
import { span } from "./time.js";

const DEPTH = 4;

/// A document as nested lists; what is deeper than four levels, or empty, is left to the JSON below it.
export function detail(document, depth = 0, under = "") {
  if (!isTree(document)) return h("span", {}, plainly(document, under));
  const pairs = Object.entries(document).filter(([, part]) => part !== null && !isEmpty(part));
  if (!pairs.length) return h("p", { class: "muted" }, "Nothing.");
  return h(
    "dl",
    { class: "kv" },
    pairs.map(([name, part]) => [h("dt", {}, words(name)), h("dd", {}, shown(part, depth, name, under))]),
  );
}

function shown(part, depth, name, under) {
  if (Array.isArray(part) && part.every(isTree)) return part.map((one) => detail(one, depth + 1, name));
  if (Array.isArray(part)) return part.map((one) => plainly(one, name)).join(", ");
  if (isTree(part)) return depth < DEPTH ? detail(part, depth + 1, name) : JSON.stringify(part);
  return plainly(part, under === "seconds" ? "seconds" : name);
}

const isTree = (part) => part !== null && typeof part === "object" && !Array.isArray(part);
const isEmpty = (part) => typeof part === "object" && part !== null && Object.keys(part).length === 0;
const words = (name) => name.replaceAll("_", " ").replace(/^mase/, "MASE").replace("sha256", "SHA-256");

function plainly(part, name) {
  if (typeof part === "boolean") return part ? "yes" : "no";
  if (typeof part === "number" && name === "seconds") return span(part);
  if (typeof part === "number") return Number.isInteger(part) ? count(part) : value(part);
  if (part !== null && typeof part === "object") return JSON.stringify(part);
  return String(part);
}
