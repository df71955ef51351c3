// What is asked of the daemon: everything goes to where this page came from.

import { token } from "./token.js";

const PATIENCE_MS = 15_000;

/// Why a request gave nothing. Status 0: there was no answer at all.
export class ApiError extends Error {
  constructor(status, title, detail) {
    super(detail || title);
    this.status = status;
    this.title = title;
  }
}

/// A path with its parts and its query, escaped.
export function path(parts, query = {}) {
  const pairs = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const tail = pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  return parts.map(encodeURIComponent).join("/") + (tail ? `?${tail}` : "");
}

/// The JSON of an answer below /api/v1. The token is shown where it is known, for reading may need it; one that is refused is
/// forgotten.
export async function get(where, signal, shown = token.get()) {
  const headers = shown ? { Authorization: `Bearer ${shown}` } : {};
  try {
    return await ask(where, { signal, headers });
  } catch (error) {
    if (error.status === 401) token.forget();
    throw error;
  }
}

/// Asks for a change; the token is shown if there is one.
export function post(where, token, body) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  return ask(where, { method: "POST", headers, body: JSON.stringify(body ?? {}) });
}

async function ask(where, options) {
  const late = AbortSignal.timeout(PATIENCE_MS);
  const signal = options.signal ? (AbortSignal.any?.([options.signal, late]) ?? options.signal) : late;
  let response;
  try {
    response = await fetch(`api/v1/${where}`, { ...options, signal, cache: "no-store" });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, "No answer", `The daemon at ${location.host} does not answer. Is it running?`);
  }
  const text = await response.text().catch(() => "");
  const json = parsed(text);
  if (response.ok && json !== undefined) return json;
  const title = json?.title ?? response.statusText;
  throw new ApiError(response.ok ? 0 : response.status, title, json?.detail ?? "The answer is no JSON.");
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/// Whether a request was given up because nobody waits for it any more.
export const isAborted = (error) => error?.name === "AbortError";
