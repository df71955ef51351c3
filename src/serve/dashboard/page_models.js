// The versions of a job's model: which serves, how good each is, and why it serves or does not.

import { h, put, renew, announce } from "./dom.js";
import { get, isAborted, path } from "./api.js";
import { jobNamed } from "./state.js";
import { empty, fact, jobHead, skeleton, trouble } from "./parts.js";
import { change } from "./change.js";
import { count } from "./format.js";
import { exact, millis, stamp, zoneOf } from "./time.js";
import { versions } from "./versions.js";

/// Shows the page; it reads again when the overview names another champion.
export function show(main, { job }) {
  document.title = `Models · ${job} · s4cast`;
  const body = h("div", { class: "stack" });
  const asked = new AbortController();
  let [facts, serving] = [null, undefined];
  const opened = new Set();
  put(main, jobHead(job, "models"), body);
  put(body, skeleton(112, 320, 200));
  const load = async () => {
    try {
      facts = await get(path(["models", job]), asked.signal);
      draw();
    } catch (error) {
      if (!isAborted(error)) put(body, trouble(error, load));
    }
  };
  const changed = async () => {
    await load();
    announce("The list of versions is up to date");
  };
  const draw = () => facts && renew(body, ...page(job, facts, { zone: zoneOf(jobNamed(job)), changed, opened, flip }));
  const flip = (version) => {
    if (!opened.delete(version)) opened.add(version);
    draw();
  };
  load();
  return {
    changed(what) {
      const champion = jobNamed(job)?.champion;
      if (what === "overview" && facts && champion !== serving) load();
      else if (what === "zone" || (what === "overview" && serving === undefined)) draw();
      serving = champion;
    },
    leave: () => asked.abort(),
  };
}

function page(job, facts, view) {
  if (!facts.versions.length) {
    return [
      empty(
        "No version yet",
        "The first training makes version 1. It begins at the next slot of the train stage, or now:",
        `s4cast run ${job} --stage train -c daemon.toml`,
      ),
    ];
  }
  return [summary(job, facts, view), versions(job, facts, view), events(facts, view)];
}

function summary(job, { champion, shadow, pinned, events, versions }, { zone, changed }) {
  const since = events.find((event) => event.version === champion);
  const back = h(
    "button",
    {
      class: "button",
      type: "button",
      onclick: () =>
        change(
          {
            title: `Roll back the model of ${job}?`,
            verb: "Roll back",
            text: `Version ${champion} stops serving, and the version that served before it forecasts from the next slot on. What was published stays.`,
            where: path(["models", job, "rollback"]),
            body: {},
            command: `s4cast models rollback --job ${job} --state STATE`,
            done: (answer) => `Version ${answer.version} of ${job} serves now`,
          },
          changed,
        ),
    },
    "Roll back",
  );
  return h(
    "section",
    { class: "card pad serving", "aria-label": "What serves" },
    h(
      "dl",
      { class: "facts" },
      fact(
        "Serves",
        champion === null ? "none" : `Version ${champion}`,
        since ? `since ${stamp(millis(since.at), zone)}` : "",
      ),
      fact(
        "In shadow",
        shadow === null ? "none" : `Version ${shadow}`,
        shadow === null ? "" : "forecasts beside, for comparison",
      ),
      fact(
        "Pinned",
        pinned.length ? pinned.map((version) => `v${version}`).join(", ") : "none",
        pinned.length ? "only these may be promoted" : "any version may be promoted",
      ),
      fact("Versions", count(versions.length), "newest first"),
    ),
    champion === null ? null : back,
  );
}

function events({ events }, { zone }) {
  const items = events.map((event) =>
    h(
      "li",
      {},
      h("time", { class: "muted", datetime: event.at }, exact(millis(event.at), zone)),
      h(
        "span",
        { class: "break" },
        h("strong", {}, `Version ${event.version}`),
        event.previous === null || event.previous === undefined ? " serves" : ` in place of ${event.previous}`,
        h("span", { class: "muted" }, `: ${event.reason}`),
      ),
    ),
  );
  return h(
    "section",
    { class: "card pad", "aria-labelledby": "decisions" },
    h("h2", { id: "decisions" }, "Decisions"),
    items.length
      ? h("ol", { class: "timeline" }, items)
      : h("p", { class: "muted" }, "No version has been promoted yet."),
  );
}
