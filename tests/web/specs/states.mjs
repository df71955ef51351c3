// What is not as usual: no token, nothing yet, a rejected config, a daemon that ends and comes back.

import { test } from "node:test";
import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { open } from "../support/browser.mjs";
import { TOKEN, start } from "../support/daemon.mjs";

/// A daemon of one job that has done nothing yet.
const FRESH = `
[source.none]
inputs = "small.csv"
[model.naive]
kind = "naive"
horizon = 2
[sink.lake]
path = "out-fresh"
[job.fresh]
source = "none"
model = "naive"
sink = "lake"
forecast = { cron = "5 0 29 2 *" }
`;

/// States that last too short a time to be met: the daemon's own overview with something else in it.
const altered = (page, change) =>
  page.route("**/overview", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), ...change } });
  });

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

  test("where reading needs the token it is asked for once, and kept by the tab", async () => {
    const { world, browser } = shared;
    const closed = await world.beside("closed", FRESH, { http: 'reads = "token"\n' });
    const page = await open(browser, closed.base, { expected: ["status of 401"] });
    await page.goto(`${closed.base}/#/`);
    const dialog = page.getByRole("dialog");
    await dialog.getByText("Reading needs the token").waitFor();
    await dialog.getByLabel("Token of this daemon").fill("wrong");
    await dialog.getByRole("button", { name: "Show" }).click();
    await dialog.getByText("This is not the token of this daemon").waitFor();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await page.locator("#pill-text", { hasText: "Locked" }).waitFor();
    await page.getByRole("button", { name: "Enter the token" }).click();
    await dialog.getByLabel("Token of this daemon").fill(TOKEN);
    await dialog.getByRole("button", { name: "Show" }).click();
    await page.getByText("no run yet").first().waitFor();
    assert.equal(await page.locator("#pill-text").textContent(), "Running");
    await page.show("#/job/fresh/models");
    await page.show("#/runs");
    await page.getByText("No slot yet").waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.getItem("s4cast.token")), TOKEN);
    await closed.stop();
    await page.check();
  });

  test("a daemon that is read-only says so", async () => {
    const { world, browser } = shared;
    cpSync(join(world.folder, "state-main/models"), join(world.folder, "state-still/models"), { recursive: true });
    const still = await world.beside("still", world.config, { http: "read_only = true\n" });
    const page = await open(browser, still.base);
    await page.show("#/job/small/models");
    await page.getByRole("button", { name: "Roll back" }).click();
    await page.getByRole("dialog").getByText("read_only is set").waitFor();
    await still.stop();
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

    const fresh = await world.beside("fresh", FRESH);
    const bare = await open(browser, fresh.base);
    await bare.show("#/runs");
    await bare.getByText("No slot yet").waitFor();
    await bare.show("#/");
    await bare.getByText("no run yet").first().waitFor();
    await altered(bare, { jobs: [] });
    await bare.getByText("No job is configured").waitFor();
    await fresh.stop();
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

  test("a daemon that starts or drains says so, and what it refuses meanwhile", async () => {
    const { world, browser } = shared;
    const page = await open(browser, world.daemon.base, { expected: ["status of 503"] });
    await page.show("#/run/1");
    await altered(page, { ready: false });
    await page.locator(".banner", { hasText: "Starting" }).waitFor();
    await page.unroute("**/overview");
    await altered(page, { draining: true });
    await page.locator(".banner", { hasText: "starts nothing new" }).waitFor({ timeout: 15_000 });
    const detail = "the daemon is shutting down";
    const problem = { type: "about:blank", title: "Service Unavailable", status: 503, detail };
    await page.route("**/retry", (route) =>
      route.fulfill({ status: 503, contentType: "application/problem+json", body: JSON.stringify(problem) }),
    );
    await page.getByRole("button", { name: "Retry" }).click();
    await page.getByLabel("Token of this daemon").fill(TOKEN);
    await page.keyboard.press("Enter");
    await page
      .getByRole("dialog")
      .getByText(`The daemon takes nothing on now: ${detail}. Nothing was changed`)
      .waitFor();
    await page.check();
  });

  test("a daemon that is gone leaves what it said, marked as old, and comes back by itself", async () => {
    const { world, browser } = shared;
    const page = await open(browser, world.daemon.base, { expected: ["ERR_CONNECTION", "ERR_EMPTY"] });
    await page.show("#/");
    await world.daemon.stop("SIGKILL");
    await page.locator(".banner", { hasText: /does not answer.*Asking again every 5 s/s }).waitFor({ timeout: 30_000 });
    assert.match(await page.locator("#pill").innerText(), /Unreachable/);
    await page.getByRole("region", { name: "Job load", exact: true }).waitFor();
    await page.evaluate(() => (location.hash = "#/job/small/models"));
    await page.locator("main").getByRole("button", { name: "Try again" }).waitFor();
    const port = Number(new URL(world.daemon.base).port);
    world.daemon = await start(world.folder, "main", world.config, { port });
    await page.locator(".banner").waitFor({ state: "detached", timeout: 30_000 });
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("button", { name: "Roll back" }).waitFor();
    await page.check();
  });
}
