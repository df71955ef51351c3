// What is not as usual: no token, no job, nothing yet, a rejected config, a daemon that ends and comes back.

import { test } from "node:test";
import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { open } from "../support/browser.mjs";
import { TOKEN, start, until } from "../support/daemon.mjs";

export function states(shared) {
  test("without a token the buttons explain what to do", async () => {
    const { world, browser } = shared;
    cpSync(join(world.folder, "state-main/models"), join(world.folder, "state-open/models"), { recursive: true });
    const other = await world.beside("open", world.config, { token: false });
    const page = await open(browser, other.base);
    await page.show("#/job/small/models");
    await page.getByRole("button", { name: "Roll back" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("This daemon has no token").waitFor();
    await dialog.getByText("s4cast models rollback --job small").waitFor();
    assert.equal(await dialog.locator("input").count(), 0);
    await other.stop();
    await page.check();
  });

  test("what is empty says how to fill it", async () => {
    const { world, browser } = shared;
    const page = await open(browser, world.daemon.base, { expected: ["status of 404"] });
    for (const [hash, text] of [
      ["#/job/later/series", "s4cast run later"],
      ["#/job/later/models", "s4cast run later --stage train"],
      ["#/job/later/backtests", "s4cast backtest"],
      ["#/job/nobody/models", "there is no job 'nobody'"],
      ["#/run/999999", "there is no run 999999"],
      ["#/job/load/series/nobody", "nobody"],
      ["#/elsewhere", "There is no such page"],
    ]) {
      await page.show(hash);
      await page.locator("main", { hasText: text }).waitFor();
    }
    await page.show("#/job/load/backtests");
    await page.getByText("first.parquet").waitFor();
    assert.equal(await page.locator(".loss canvas").count(), 2);
    await page.check();

    const empty = await world.beside("empty", "");
    const bare = await open(browser, empty.base);
    await bare.show("#/");
    await bare.getByText("No job is configured").waitFor();
    await bare.show("#/runs");
    await bare.getByText("No slot yet").waitFor();
    await empty.stop();
    await bare.check();
  });

  test("a rejected config is told of until it is mended", async () => {
    const { world, browser } = shared;
    const page = await open(browser, world.daemon.base);
    await page.show("#/");
    const file = join(world.folder, "main.toml");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace("horizon = 24", "horizn = 24"));
    await page.locator(".banner", { hasText: /config was rejected.*horizn/s }).waitFor({ timeout: 15_000 });
    writeFileSync(file, text);
    await page.locator(".banner").waitFor({ state: "detached", timeout: 15_000 });
    assert.ok((await page.shifted()) < 0.01, "the banner moves nothing");
    await page.check();
  });

  test("a daemon that drains, is gone and comes back", async () => {
    const { world, browser } = shared;
    const { daemon } = world;
    const page = await open(browser, daemon.base, {
      expected: ["status of 503", "status of 409", "ERR_CONNECTION", "ERR_EMPTY", "Failed to load resource"],
    });
    await page.show("#/");
    await daemon.post("jobs/slow/run", { stage: "forecast" });
    await page
      .getByRole("region", { name: "Job slow", exact: true })
      .getByText("now", { exact: true })
      .waitFor({ timeout: 15_000 });
    daemon.drain();
    await page.locator(".banner", { hasText: "Shutting down" }).waitFor({ timeout: 15_000 });
    await page.evaluate(() => (location.hash = "#/run/1"));
    await page.getByRole("button", { name: "Retry" }).click();
    await page.getByLabel("Token of this daemon").fill(TOKEN);
    await page.keyboard.press("Enter");
    await page
      .getByRole("dialog")
      .getByText(/Nothing was changed/)
      .waitFor();
    await page.keyboard.press("Escape");
    await page.evaluate(() => (location.hash = "#/"));
    await daemon.stop("SIGKILL");
    await page.locator(".banner", { hasText: /does not answer.*Asking again every 5 s/s }).waitFor({ timeout: 30_000 });
    assert.match(await page.locator("#pill").innerText(), /Unreachable/);
    await page.getByRole("region", { name: "Job load", exact: true }).waitFor();
    const port = Number(new URL(daemon.base).port);
    world.daemon = await start(world.folder, "main", world.config, { port });
    await until("the banner goes", async () => (await page.locator(".banner").count()) === 0, 30_000);
    await page.check();
  });
}
