// Changing something: a question first, the token where it is not known yet, and plain words for what became of it.

import { h, put, toast } from "./dom.js";
import { post } from "./api.js";
import { state } from "./state.js";
import { token } from "./token.js";

const NO_TOKEN =
  'This daemon has no token, so nothing can be changed over HTTP. Set token under [http] in its config, for example token = { env = "S4CAST_TOKEN" }. The command line works without:';

const READ_ONLY =
  "This daemon changes nothing over HTTP: read_only is set under [http] in its config. The command line works without:";

/// Asks, then posts. `ask` holds title, text, verb, where, body, `command` (the same on the command line) and `done` (what to
/// say, of the answer). Calls `after` if it was done.
export function change(ask, after) {
  const dialog = document.getElementById("dialog");
  const opener = document.activeElement;
  const close = () => dialog.close();
  dialog.onclose = () => {
    put(dialog);
    if (opener?.isConnected) opener.focus();
  };
  put(dialog, state.overview?.writable === false ? refusal(ask, close) : question(ask, close, after));
  dialog.showModal();
}

function refusal({ title, command }, close) {
  return h(
    "form",
    { onsubmit: stop(close) },
    h("h2", { id: "dialog-title" }, title),
    h("p", { id: "dialog-why" }, state.overview.read_only ? READ_ONLY : NO_TOKEN),
    h("pre", { class: "command", tabindex: 0, "aria-label": "command" }, command),
    h("div", { class: "buttons" }, h("button", { class: "button", type: "submit" }, "Close")),
  );
}

function question(ask, close, after) {
  const input = h("input", {
    type: "password",
    id: "token",
    autocomplete: "off",
    spellcheck: "false",
    "aria-describedby": "token-help",
  });
  const field = h(
    "div",
    { class: "field" },
    h("label", { for: "token" }, "Token of this daemon"),
    input,
    h(
      "span",
      { id: "token-help", class: "muted" },
      "It is kept until this tab is closed, and sent to this daemon only.",
    ),
  );
  const trouble = h("div", { role: "alert" });
  const go = h("button", { class: "button", "data-kind": "main", type: "submit" }, ask.verb);
  field.hidden = token.get() !== null;
  const send = async () => {
    const shown = field.hidden ? token.get() : input.value.trim();
    if (!shown) {
      put(trouble, h("p", { class: "warned" }, "The token is missing: it is the value of token under [http]."));
      return input.focus();
    }
    go.disabled = true;
    try {
      const answer = await post(ask.where, shown, ask.body);
      token.set(shown);
      close();
      toast(ask.done(answer));
      after(answer);
    } catch (error) {
      go.disabled = false;
      if (error.status === 401) {
        token.forget();
        field.hidden = false;
        input.value = "";
        input.focus();
      } else if (error.status !== 403 && error.status !== 0) token.set(shown);
      put(trouble, h("p", { class: "warned" }, words(error)));
    }
  };
  return h(
    "form",
    { onsubmit: stop(send) },
    h("h2", { id: "dialog-title" }, ask.title),
    h("p", {}, ask.text),
    field,
    trouble,
    h("div", { class: "buttons" }, h("button", { class: "button", type: "button", onclick: close }, "Cancel"), go),
  );
}

const stop = (then) => (event) => {
  event.preventDefault();
  then();
};

/// What an answer means to a person.
function words({ status, message }) {
  switch (status) {
    case 401:
      return "This is not the token of this daemon. It is the value of token under [http] in its config; nothing was changed.";
    case 403:
      return `${message}. Nothing was changed.`;
    case 404:
      return `${message}. Nothing was changed.`;
    case 429:
      return `${message}. Nothing was changed.`;
    case 409:
      return `It cannot be done now: ${message}. Nothing was changed.`;
    case 503:
      return `The daemon takes nothing on now: ${message}. Nothing was changed; try again when it runs.`;
    case 0:
      return `${message} Whether something was changed is not known; look before trying again.`;
    default:
      return `${message}. Nothing was changed.`;
  }
}
