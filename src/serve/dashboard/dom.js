// Elements as expressions, and a tree that is brought up to date without being replaced.

const SVG = "http://www.w3.org/2000/svg";

/// An element. Texts become text nodes and are never read as HTML; null and false are left out.
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/// The same of SVG.
export function svg(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element[name] = value;
    else if (name === "style") Object.assign(element.style, value);
    else if (name === "value" || name === "checked") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return element;
}

/// Puts content in place of what an element holds.
export function put(host, ...children) {
  host.replaceChildren(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
}

/// Makes what `host` holds look like `next`, touching only what differs: focus, scroll and selection stay.
export function renew(host, ...next) {
  const shell = document.createElement("div");
  put(shell, ...next);
  children(host, shell);
}

const HANDLERS = ["onclick", "oninput", "onchange", "onkeydown", "onsubmit"];
const key = (node) => node.dataset?.key;

function children(live, next) {
  const keyed = new Map();
  const wantedKeys = new Set([...next.children].map(key));
  // What is gone goes first: then what stays need not be moved, and keeps its focus.
  for (const child of [...live.children]) {
    if (!key(child)) continue;
    if (wantedKeys.has(key(child))) keyed.set(key(child), child);
    else child.remove();
  }
  let at = live.firstChild;
  for (const wanted of [...next.childNodes]) {
    const match = key(wanted) ? keyed.get(key(wanted)) : at && !key(at) ? at : null;
    if (!match) {
      live.insertBefore(wanted, at);
      continue;
    }
    if (match === at) at = at.nextSibling;
    else live.insertBefore(match, at);
    node(match, wanted);
  }
  while (at) {
    const rest = at.nextSibling;
    at.remove();
    at = rest;
  }
}

function node(live, next) {
  if (live.nodeType !== next.nodeType || live.nodeName !== next.nodeName) {
    live.replaceWith(next);
  } else if (live.nodeType === Node.TEXT_NODE) {
    if (live.data !== next.data) live.data = next.data;
  } else if (live.dataset.keep === undefined || live.dataset.keep !== next.dataset.keep) {
    attributes(live, next);
    children(live, next);
    if (next.nodeName === "SELECT" && document.activeElement !== live && live.value !== next.value)
      live.value = next.value;
  }
}

function attributes(live, next) {
  for (const { name, value } of [...next.attributes]) {
    if (name === "style") {
      // The attribute itself would be inline style, which the content policy forbids.
      if (live.style.cssText !== next.style.cssText) live.style.cssText = next.style.cssText;
    } else if (live.getAttribute(name) !== value && !isRoving(live, name)) live.setAttribute(name, value);
  }
  for (const { name } of [...live.attributes]) {
    if (!next.hasAttribute(name) && !isLocal(live, name)) live.removeAttribute(name);
  }
  for (const name of HANDLERS) if (live[name] !== next[name]) live[name] = next[name];
}

/// Which cell of a strip can be tabbed to is the reader's choice, and so is what stands open.
const isRoving = (live, name) => name === "tabindex" && live.dataset.roving !== undefined;
const isLocal = (live, name) => isRoving(live, name) || (name === "open" && live.nodeName === "DETAILS");

/// Says something to screen readers.
export function announce(text) {
  document.getElementById("live").textContent = text;
}

/// Says for a while, on the page, what became of something.
export function toast(text, kind = "ok") {
  const box = h("div", { class: "toast", "data-kind": kind, role: kind === "bad" ? "alert" : "status" }, text);
  document.getElementById("toasts").append(box);
  setTimeout(() => box.remove(), kind === "bad" ? 12_000 : 6_000);
}
