// Finding one of very many series: a text field with a list below it that keys can walk through.

import { h, put, announce } from "./dom.js";
import { get, isAborted, path } from "./api.js";
import { count } from "./format.js";

const [PAUSE_MS, SHOWN] = [150, 50];

/// A combobox over the series of a job; `pick` gets the id that was chosen.
export function search(job, pick) {
  const input = h("input", {
    type: "text",
    id: "series-search",
    role: "combobox",
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "Search series",
    "aria-label": `Search the series of ${job}`,
    "aria-expanded": "false",
    "aria-controls": "series-options",
    "aria-autocomplete": "list",
    "aria-keyshortcuts": "/",
    maxlength: 200,
  });
  const list = h("ul", {
    id: "series-options",
    role: "listbox",
    "aria-label": "Series",
    class: "options",
    hidden: true,
  });
  const note = h("p", { class: "options-note small muted", hidden: true });
  const panel = h("div", { class: "options-panel", hidden: true }, list, note);
  let [active, found, timer, asked] = [-1, [], 0, null];

  const open = (isOpen) => {
    panel.hidden = list.hidden = note.hidden = !isOpen;
    input.setAttribute("aria-expanded", String(isOpen));
    if (!isOpen) mark(-1);
  };
  const mark = (at) => {
    list.children[active]?.setAttribute("aria-selected", "false");
    active = at;
    const option = list.children[at];
    if (!option) return input.removeAttribute("aria-activedescendant");
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", option.id);
  };
  const choose = (id) => {
    open(false);
    input.value = "";
    input.blur();
    pick(id);
  };
  const ask = async () => {
    asked?.abort();
    const mine = (asked = new AbortController());
    try {
      const answer = await get(path(["series", job], { q: input.value.trim(), limit: SHOWN }), mine.signal);
      if (mine !== asked || document.activeElement !== input) return;
      found = answer.series.map((row) => row.unique_id);
      active = -1;
      put(
        list,
        found.map((id, at) =>
          h(
            "li",
            {
              role: "option",
              id: `series-option-${at}`,
              "aria-selected": "false",
              class: "break",
              onclick: () => choose(id),
            },
            id,
          ),
        ),
      );
      note.textContent = told(answer);
      announce(note.textContent);
      open(true);
      mark(found.length && input.value ? 0 : -1);
    } catch (error) {
      if (isAborted(error) || mine !== asked) return;
      put(list);
      note.textContent = error.message;
      open(true);
    }
  };

  input.oninput = () => {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE_MS);
  };
  input.onfocus = ask;
  input.onblur = () => open(false);
  // A press on the list must not take the focus from the field, or the list would be gone before the click.
  panel.onmousedown = (event) => event.preventDefault();
  input.onkeydown = (event) => {
    const last = found.length - 1;
    const isOpen = !panel.hidden;
    if (event.key === "ArrowDown" && !isOpen) ask();
    else if (event.key === "ArrowDown") mark(active >= last ? 0 : active + 1);
    else if (event.key === "ArrowUp") mark(active <= 0 ? last : active - 1);
    else if (event.key === "Enter" && isOpen && found[active] !== undefined) choose(found[active]);
    else if (event.key === "Escape" && isOpen) open(false);
    else if (event.key === "Escape") input.blur();
    else return;
    event.preventDefault();
  };
  return h("div", { class: "search" }, input, h("kbd", { "aria-hidden": "true" }, "/"), panel);
}

function told({ matched, total, series }) {
  if (!total) return "The newest run has no series";
  if (!matched) return `None of ${count(total)} series matches`;
  const more = matched > series.length ? `; the first ${series.length} are shown` : "";
  return `${count(matched)} of ${count(total)} series${more}`;
}
