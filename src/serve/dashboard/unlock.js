// Where reading needs the token, too: asked for once, then everything is as it is elsewhere.

import { h, put } from "./dom.js";
import { get } from "./api.js";
import { token } from "./token.js";

let wasAsked = false;

/// Asks for the token the first time that it is missing.
export function unlockOnce() {
  if (wasAsked || document.getElementById("dialog").open) return;
  wasAsked = true;
  unlock();
}

/// Asks for the token, tries it, and begins anew with it.
export function unlock() {
  const dialog = document.getElementById("dialog");
  const close = () => dialog.close();
  dialog.onclose = () => put(dialog);
  put(dialog, form(close));
  dialog.showModal();
}

function form(close) {
  const input = h("input", {
    type: "password",
    id: "token",
    autocomplete: "off",
    spellcheck: "false",
    "aria-describedby": "token-help",
  });
  const trouble = h("div", { role: "alert" });
  const go = h("button", { class: "button", "data-kind": "main", type: "submit" }, "Show");
  const send = async (event) => {
    event.preventDefault();
    const shown = input.value.trim();
    go.disabled = true;
    try {
      await get("overview", undefined, shown);
      token.set(shown);
      close();
      location.reload();
    } catch (error) {
      go.disabled = false;
      input.value = "";
      input.focus();
      put(trouble, h("p", { class: "warned" }, words(error)));
    }
  };
  return h(
    "form",
    { onsubmit: send },
    h("h2", { id: "dialog-title" }, "Reading needs the token"),
    h("p", {}, "This daemon shows what it knows to whoever has its token."),
    h(
      "div",
      { class: "field" },
      h("label", { for: "token" }, "Token of this daemon"),
      input,
      h(
        "span",
        { id: "token-help", class: "muted" },
        "It is kept until this tab is closed, and sent to this daemon only.",
      ),
    ),
    trouble,
    h("div", { class: "buttons" }, h("button", { class: "button", type: "button", onclick: close }, "Cancel"), go),
  );
}

const words = ({ status, message }) =>
  status === 401
    ? "This is not the token of this daemon. It is the value of token under [http] in its config."
    : `${message}.`;
