// A browser that notices what a person would not: requests elsewhere, refused content, errors in the console.

import { chromium } from "playwright-core";
import assert from "node:assert/strict";

const ARGUMENTS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/// Starts Chromium.
export const launch = () =>
  chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGUMENTS });

/// A page of a daemon in a fresh profile. `page.check()` fails if anything left its origin, was refused by the content
/// policy, or was logged as an error; `expected` are parts of errors that the test itself causes.
export async function open(
  browser,
  base,
  { width = 1440, height = 900, theme = "light", zone = "America/New_York", expected = [], ...more } = {},
) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: theme,
    timezoneId: zone,
    ...more,
  });
  const page = await context.newPage();
  const found = [];
  const sizes = [];
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${base}/`) && !url.startsWith("data:")) found.push(`a request to ${url}`);
  });
  page.on("requestfinished", (request) => sizes.push(request.sizes()));
  page.on("console", (message) => {
    if (message.type() === "error") found.push(`console: ${message.text()} ${message.location().url}`);
  });
  page.on("pageerror", (error) => found.push(`uncaught: ${error.stack}`));
  await page.addInitScript(() => {
    window.refused = [];
    window.shifts = [];
    document.addEventListener("securitypolicyviolation", (event) =>
      window.refused.push(`${event.violatedDirective} ${event.blockedURI}`),
    );
    new PerformanceObserver((list) =>
      list.getEntries().forEach((entry) => entry.hadRecentInput || window.shifts.push(entry.value)),
    ).observe({ type: "layout-shift", buffered: true });
  });
  return Object.assign(page, {
    /// Bytes that came from the daemon so far, heads included.
    async transferred() {
      const all = await Promise.all(sizes);
      return all.reduce(
        (sum, { responseBodySize, responseHeadersSize }) => sum + responseBodySize + responseHeadersSize,
        0,
      );
    },
    async show(hash) {
      if (page.url() === `${base}/${hash}`) await page.reload();
      else await page.goto(`${base}/${hash}`);
      await page.waitForFunction(() => {
        const main = document.querySelector("main");
        return (
          main.dataset.at === location.hash && main.querySelector("h1") && !main.querySelector('[aria-busy="true"]')
        );
      });
    },
    /// Sum of layout shifts so far.
    shifted: () => page.evaluate(() => window.shifts.reduce((a, b) => a + b, 0)),
    async check() {
      found.push(...(await page.evaluate(() => window.refused)).map((refusal) => `refused: ${refusal}`));
      const surprises = found.filter((line) => !expected.some((part) => line.includes(part)));
      assert.deepEqual(surprises, []);
      await context.close();
    },
  });
}
