// Numbers as people read them. Nothing is made up: what is missing is a dash.

const NONE = "–";
const plain = new Map();

const missing = (value) => value === null || value === undefined || !Number.isFinite(value);

function digits(least, most) {
  const name = `${least}-${most}`;
  if (!plain.has(name)) {
    plain.set(name, new Intl.NumberFormat("en-US", { minimumFractionDigits: least, maximumFractionDigits: most }));
  }
  return plain.get(name);
}

/// A value of a series: as many places as its size calls for.
export function value(number) {
  if (missing(number)) return NONE;
  const size = Math.abs(number);
  if (size >= 1e9 || (size > 0 && size < 1e-4)) return number.toExponential(3).replace("e+", "e").replace("-", "−");
  const places = size >= 1000 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4;
  return signed(digits(0, places).format(number));
}

const signed = (text) => text.replace("-", "−");

/// A whole number, its thousands apart.
export const count = (number) => (missing(number) ? NONE : digits(0, 0).format(number));

/// A figure like MASE.
export const figure = (number, places = 3) => (missing(number) ? NONE : signed(digits(places, places).format(number)));

/// A share as percent.
export const percent = (share, places = 1) =>
  missing(share) ? NONE : `${signed(digits(places, places).format(share * 100))} %`;

/// 1 run, 2 runs
export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

/// 31 % better than seasonal naive, in words.
export function skillWords(skill) {
  if (missing(skill)) return NONE;
  const size = Math.abs(skill * 100);
  if (size < 0.5) return "as good";
  return `${digits(0, size < 10 ? 1 : 0).format(size)} % ${skill > 0 ? "better" : "worse"}`;
}

/// 1.2 MB
export function bytes(number) {
  if (missing(number)) return NONE;
  if (number < 1024) return `${number} B`;
  const kib = number / 1024;
  return kib < 1024 ? `${digits(0, 0).format(kib)} KiB` : `${digits(1, 1).format(kib / 1024)} MiB`;
}
