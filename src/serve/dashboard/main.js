// Start, and what stands around every page: routes, health, zone, theme.

import { announce, h, put, renew } from "./dom.js";
import { get, isAborted } from "./api.js";
import { choose, listen, state, tell } from "./state.js";
import { parse } from "./router.js";
import { clock, millis, relative, zoneOf } from "./time.js";
import { health } from "./health.js";
import { skeleton, trouble } from "./parts.js";
import { unlock, unlockOnce } from "./unlock.js";

const PERIOD_MS = 5_000;

const LOADERS = {
  overview: () => import("./page_overview.js"),
  series: () => import("./page_series.js"),
  models: () => import("./page_models.js"),
  backtests: () => import("./page_backtests.js"),
  runs: () => import("./page_runs.js"),
  run: () => import("./page_run.js"),
  unknown: () => import("./page_unknown.js"),
};

const element = (id) => document.getElementById(id);
let current = null;
let isFirst = true;

/// Shows the page of the address. Where only parts of it differ, the page itself decides what to draw anew.
async function route() {
  const wanted = parse(location.hash);
  if (current?.page === wanted.page && current.job === wanted.job && current.shown?.moved?.(wanted)) {
    current = { ...wanted, shown: current.shown };
    element("main").dataset.at = location.hash;
    return;
  }
  current?.shown?.leave?.();
  // A question asked on one page is not answered on another; that for the token may come before the first page does.
  if (!isFirst) element("dialog").close();
  const mine = (current = { ...wanted, shown: null });
  mark(wanted);
  const main = element("main");
  try {
    const page = await LOADERS[wanted.page]();
    if (current !== mine) return;
    put(main);
    mine.shown = page.show(main, wanted);
    main.dataset.at = location.hash;
  } catch (error) {
    if (current !== mine) return;
    put(
      main,
      trouble({ status: 0, message: `A part of this page did not load: ${error.message}` }, () => location.reload()),
    );
  }
  if (!isFirst) {
    window.scrollTo(0, 0);
    (main.querySelector("h1") ?? main).focus({ preventScroll: true });
    announce(document.title);
  }
  isFirst = false;
}

function mark({ page }) {
  for (const link of document.querySelectorAll("[data-nav]")) {
    const isHere = link.dataset.nav === page || (link.dataset.nav === "runs" && page === "run");
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/// Asks for the overview now and every five seconds, but not behind another tab.
async function poll() {
  try {
    const overview = await get("overview");
    Object.assign(state, { overview, trouble: null, heard: Date.now() });
  } catch (error) {
    if (!isAborted(error)) state.trouble = error;
    if (error.status === 401) unlockOnce();
  }
  frame();
  tell("overview");
  setTimeout(
    () => (document.hidden ? document.addEventListener("visibilitychange", poll, { once: true }) : poll()),
    PERIOD_MS,
  );
}

/// Pill, banner and footer.
function frame() {
  const { kind, word, title, detail, locked } = health(state);
  element("pill").dataset.state = kind;
  if (element("pill-text").textContent !== word) element("pill-text").textContent = word;
  renew(
    element("banner"),
    ...(title
      ? [
          h(
            "div",
            { class: "banner", "data-kind": kind === "bad" ? "bad" : "warn" },
            h(
              "div",
              { class: "banner-in" },
              h("strong", {}, title),
              h("span", {}, detail),
              locked ? h("button", { class: "button", type: "button", onclick: unlock }, "Enter the token") : null,
            ),
          ),
        ]
      : []),
  );
  if (!state.overview) return;
  const { version, started_at: started, now } = state.overview;
  element("foot-version").textContent =
    `s4cast ${version}, up for ${relative(millis(started), millis(now)).replace(" ago", "")}`;
  element("foot-updated").textContent = `Updated ${clock(state.heard, zoneOf(null))} ${zoneOf(null)}`;
}

const THEMES = { auto: ["◐", "Theme: auto"], light: ["○", "Theme: light"], dark: ["●", "Theme: dark"] };

function theme() {
  const [icon, text] = THEMES[state.theme];
  element("theme-icon").textContent = icon;
  element("theme-text").textContent = text;
  if (state.theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = state.theme;
}

element("theme").onclick = () => {
  const order = Object.keys(THEMES);
  choose("theme", order[(order.indexOf(state.theme) + 1) % order.length]);
  announce(THEMES[state.theme][1]);
};
element("zone").value = state.zone;
element("zone").onchange = (event) => choose("zone", event.target.value);
element("skip").onclick = (event) => {
  event.preventDefault();
  element("main").focus();
};
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => tell("theme"));
listen((what) => {
  if (what === "theme") theme();
  if (what === "zone") frame();
  current?.shown?.changed?.(what);
});
window.addEventListener("hashchange", route);
/// The first page waits a moment for the first overview, which says in which zone times are shown.
async function start() {
  put(element("main"), skeleton(240, 240));
  await Promise.race([poll(), new Promise((done) => setTimeout(done, 700))]);
  route();
}

theme();
start();
