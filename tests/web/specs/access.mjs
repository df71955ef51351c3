// Every page, in both themes, as axe sees it.

import { test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { open } from "../support/browser.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const PAGES = [
  ["overview", "#/"],
  ["series", "#/job/load/series/north"],
  ["series as table", "#/job/load/series/north", (page) => page.getByRole("button", { name: "Show as table" }).click()],
  [
    "search",
    "#/job/load/series/north",
    (page) =>
      page
        .locator("#series-search")
        .focus()
        .then(() => page.locator(".options li").first().waitFor()),
  ],
  ["models", "#/job/small/models", (page) => page.locator("button[aria-expanded]").first().click()],
  ["dialog", "#/job/small/models", (page) => page.getByRole("button", { name: "Roll back" }).click()],
  ["backtests", "#/job/load/backtests"],
  ["no backtests", "#/job/small/backtests"],
  ["no forecasts", "#/job/later/series"],
  ["runs", "#/runs"],
  ["no runs", "#/runs?outcome=missed&job=later"],
  ["run", "#/run/1"],
  [
    "failed run",
    "#/runs?outcome=failed",
    (page) =>
      page
        .locator(".runs a")
        .first()
        .click()
        .then(() => page.getByText("Why it failed").waitFor()),
  ],
  ["unknown", "#/nowhere"],
  ["error", "#/job/nobody/models"],
];

export function access(shared) {
  for (const theme of ["light", "dark"]) {
    test(`no page has a serious barrier, ${theme}`, async () => {
      const page = await open(shared.browser, shared.world.daemon.base, {
        theme,
        expected: ["status of 404"],
        reducedMotion: "reduce",
      });
      const barriers = [];
      for (const [name, hash, act] of PAGES) {
        await page.show(hash);
        await page.locator("main").evaluate(() => document.fonts.ready);
        if (hash.includes("/series/")) await page.locator(".plot[data-ready]").waitFor();
        await act?.(page);
        // Not the page asks for axe, the test does: evaluating is no breach of the content policy.
        await page.evaluate(AXE);
        const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
        for (const { id, impact, nodes } of violations) {
          if (impact === "serious" || impact === "critical")
            barriers.push(
              `${name}: ${id} (${impact}) at ${nodes
                .map((node) => node.target)
                .slice(0, 3)
                .join("; ")}: ${nodes[0].failureSummary}`,
            );
        }
        assert.equal(await page.locator("h1").count(), 1, `${name} has one h1`);
      }
      assert.deepEqual(barriers, []);
      await page.check();
    });
  }
}
