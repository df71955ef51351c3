// The first page: what it says, what it weighs, and that it keeps still.

import { test } from "node:test";
import assert from "node:assert/strict";
import { open } from "../support/browser.mjs";

const WEIGHT_MAX = 300_000;

export function overview(shared) {
  test("the overview names every job with its slots, and weighs little", async (t) => {
    const page = await open(shared.browser, shared.world.daemon.base);
    await page.show("#/");
    for (const job of ["load", "small", "many", "broken", "later"]) {
      await page.getByRole("region", { name: `Job ${job}`, exact: true }).waitFor();
    }
    const load = page.getByRole("region", { name: "Job load", exact: true });
    assert.match(await load.innerText(), /seasonal_naive v\d/);
    assert.match(await load.innerText(), /Last \d+ slots: \d+ ok/);
    assert.match(await load.innerText(), /last value/);
    assert.match(await load.innerText(), /MASE \d/);
    const broken = page.getByRole("region", { name: "Job broken", exact: true });
    assert.match(await broken.innerText(), /'two' is no number/);
    assert.equal(await broken.getByRole("link", { name: /^failed: forecast, slot \d{4}-/ }).count(), 1);
    assert.match(await page.getByRole("region", { name: "Job later", exact: true }).innerText(), /none yet/);
    assert.match(await page.locator("#pill").innerText(), /broken fails/);
    assert.equal(await page.title(), "Overview · s4cast");
    const look = await page.evaluate(() => [
      getComputedStyle(document.body).fontSize,
      getComputedStyle(document.querySelector(".card")).backgroundColor,
      getComputedStyle(document.querySelector(".strip i")).borderRadius,
    ]);
    assert.deepEqual(look, ["14px", "rgb(255, 255, 255)", "2px"], "the style sheets are there and whole");
    await page.waitForLoadState("networkidle");
    const bytes = await page.transferred();
    t.diagnostic(`the overview transfers ${bytes} bytes`);
    assert.ok(bytes > 50_000 && bytes < WEIGHT_MAX, `${bytes} bytes`);
    await page.check();
  });

  test("it follows by itself without moving anything", async (t) => {
    const page = await open(shared.browser, shared.world.daemon.base);
    await page.show("#/");
    const cell = page.getByRole("region", { name: "Job load", exact: true }).locator(".strip a").last();
    await cell.focus();
    await page.keyboard.press("ArrowLeft");
    const held = await page.evaluate(() => {
      window.scrollTo(0, 120);
      window.kept = [document.activeElement, document.querySelector('[data-key="small"]')];
      return [window.scrollY, document.activeElement.getAttribute("aria-label")];
    });
    for (let turn = 0; turn < 2; turn += 1)
      await page.waitForResponse((response) => response.url().endsWith("/overview"));
    const after = await page.evaluate(() => [
      window.scrollY,
      document.activeElement.getAttribute("aria-label"),
      window.kept[0] === document.activeElement,
      window.kept[1] === document.querySelector('[data-key="small"]'),
    ]);
    assert.deepEqual(after, [...held, true, true]);
    const shifted = await page.shifted();
    t.diagnostic(`layout shift of the overview over two refreshes: ${shifted.toFixed(4)}`);
    assert.ok(shifted < 0.01, `${shifted}`);
    await page.keyboard.press("Enter");
    await page.waitForURL(/#\/run\/\d+$/);
    await page.getByRole("heading", { name: "of load" }).waitFor();
    await page.check();
  });

  test("what is renewed keeps its focus where others come and go around it", async () => {
    const page = await open(shared.browser, shared.world.daemon.base);
    await page.show("#/");
    const found = await page.evaluate(async () => {
      const { h, renew } = await import("/assets/dom.js");
      const host = h("div", {});
      document.querySelector("main").append(host);
      const draw = (keys) =>
        renew(host, h("p", {}, `${keys.length}`), ...keys.map((key) => h("button", { "data-key": key }, key)));
      draw(["a", "b", "c"]);
      host.querySelector('[data-key="b"]').focus();
      draw(["b", "c", "d"]);
      const kept = document.activeElement.dataset.key;
      draw(["e", "b"]);
      draw([]);
      return [kept, host.textContent, host.childElementCount];
    });
    assert.deepEqual(found, ["b", "0", 1]);
    await page.check();
  });

  test("theme and zone are chosen, kept, and followed at once", async () => {
    const page = await open(shared.browser, shared.world.daemon.base);
    await page.show("#/");
    const color = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await color();
    await page.locator("#theme").click();
    assert.equal(await color(), light, "auto is light here, and so is light");
    await page.locator("#theme").click();
    assert.notEqual(await color(), light);
    const issued = () =>
      page
        .getByRole("region", { name: "Job load", exact: true })
        .locator(".fact", { hasText: "Forecast age" })
        .innerText();
    const source = await issued();
    await page.locator("#zone").selectOption("browser");
    assert.notEqual(await issued(), source, "Berlin and New York");
    await page.reload();
    await page.locator('[data-key="load"]').waitFor();
    assert.equal(await page.locator("#zone").inputValue(), "browser");
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
    await page.check();
  });

  test("the keyboard gets past the head, and a phone past nothing", async () => {
    const page = await open(shared.browser, shared.world.daemon.base, { width: 390, height: 844 });
    await page.show("#/");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.id), "skip");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    for (const hash of [
      "#/",
      "#/job/load/series/north",
      "#/job/small/models",
      "#/job/load/backtests",
      "#/runs",
      "#/run/1",
    ]) {
      await page.show(hash);
      await page.waitForTimeout(150);
      const over = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      assert.ok(over <= 0, `${hash} is wider than the screen by ${over}`);
    }
    await page.check();
  });
}
