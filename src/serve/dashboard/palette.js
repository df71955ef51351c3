// Colours of the style sheet as a canvas needs them.

/// The colours of the current theme by name.
export function palette() {
  const probe = document.createElement("span");
  document.body.append(probe);
  const found = {};
  for (const name of [
    "ink",
    "ink-2",
    "ink-3",
    "line",
    "line-strong",
    "surface",
    "accent",
    "bad",
    "warn",
    "ok",
    "missed",
  ]) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}

/// A colour of the palette, let through.
export function faded(color, alpha) {
  const [r, g, b] = color.match(/[\d.]+/g);
  return `rgba(${r}, ${g}, ${b}, ${alpha})`;
}

/// The font of the page at a size, for canvas.
export const font = (size, weight = 400) => `${weight} ${size}px ${getComputedStyle(document.body).fontFamily}`;
