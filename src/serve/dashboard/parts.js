// What several pages are put together from.

import { h } from "./dom.js";
import { href } from "./router.js";

/// A name and its figure, with a line of words below.
export function fact(name, value, sub, ...more) {
  return h(
    "div",
    { class: "fact" },
    h("dt", {}, name),
    h("dd", { class: "big" }, value),
    h("dd", { class: "sub" }, sub ?? ""),
    more.map((part) => h("dd", {}, part)),
  );
}

/// What is shown where there is nothing yet.
export function empty(title, text, command) {
  return h(
    "section",
    { class: "card empty" },
    h("h2", {}, title),
    text ? h("p", {}, text) : null,
    command ? h("pre", { tabindex: 0, "aria-label": "command" }, h("code", {}, command)) : null,
  );
}

/// What is shown where a request gave nothing: what, why, and what to do.
export function trouble(error, again) {
  const title =
    {
      0: "The daemon does not answer",
      401: "Reading needs the token",
      404: "There is no such thing",
      429: "Too many requests",
      503: "Not able to answer now",
    }[error.status] ??
    error.title ??
    "Something went wrong";
  return h(
    "section",
    { class: "card pad trouble", role: "alert" },
    h("h2", {}, title),
    h("p", { class: "break" }, error.message),
    again ? h("button", { class: "button", type: "button", onclick: again }, "Try again") : null,
  );
}

/// Grey boxes of the size of what is to come.
export function skeleton(...heights) {
  return h(
    "div",
    { class: "stack", role: "status", "aria-busy": "true", "aria-label": "loading" },
    heights.map((height) => h("div", { class: "card skeleton", style: { height: `${height}px` } })),
  );
}

const TABS = [
  ["series", "Forecasts"],
  ["models", "Models"],
  ["backtests", "Backtests"],
  ["runs", "Runs"],
];

/// The name of a job above its pages.
export function jobHead(job, current) {
  const where = (page) => (page === "runs" ? href(["runs"], { job }) : href(["job", job, page]));
  const link = (page, name) => h("a", { href: where(page), "aria-current": page === current ? "page" : null }, name);
  return [
    h("p", { class: "crumb" }, h("a", { href: "#/" }, "Overview"), " / Job"),
    h("div", { class: "head" }, h("h1", { tabindex: -1 }, job)),
    h(
      "nav",
      { class: "tabs", "aria-label": `Pages of ${job}` },
      TABS.map(([page, name]) => link(page, name)),
    ),
  ];
}

/// Follows a link without an entry in the history.
export const replace = (hash) => location.replace(hash);
