// A series: finding it among very many, looking at it from near and far, and as a table.

import { test } from "node:test";
import assert from "node:assert/strict";
import { open } from "../support/browser.mjs";
import { EVIL } from "../support/data.mjs";

const SLOW_MS = 5_000;

const drawn = (page, id) => page.locator(`.plot[data-ready=${JSON.stringify(id)}]`).waitFor();
const stretch = (page) =>
  page.locator(".plot-box").evaluate((box) => [Number(box.dataset.from), Number(box.dataset.to)]);
const width = async (page) => (([from, to]) => to - from)(await stretch(page));

async function moved(page, act) {
  const before = await stretch(page);
  await act();
  await page.waitForFunction(([from, to]) => {
    const box = document.querySelector(".plot-box");
    return Number(box.dataset.from) !== from || Number(box.dataset.to) !== to;
  }, before);
  return stretch(page);
}

export function series(shared) {
  const begin = async (hash, options) => {
    const page = await open(shared.browser, shared.world.daemon.base, options);
    await page.show(hash);
    return page;
  };

  test("ten thousand values and twenty forecasts are there at once", async (t) => {
    const page = await begin("#/runs");
    const started = Date.now();
    await page.goto(`${shared.world.daemon.base}/#/job/load/series/north`);
    await drawn(page, "north");
    await page.locator(".plot-box").focus();
    await moved(page, () => page.keyboard.press("+"));
    const took = Date.now() - started;
    t.diagnostic(`10 000 values and 20 forecasts drawn and zoomed after ${took} ms`);
    assert.ok(took < SLOW_MS, `${took} ms`);
    const about = await page.locator(".series-title").innerText();
    assert.match(about, /newest 10,000 of 10,\d{3} values/);
    assert.match(about, /20 forecasts/);
    const inked = await page.locator(".plot canvas").evaluate((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((_, at) => at % 4 === 3).reduce((count, alpha) => count + (alpha > 0 ? 1 : 0), 0);
    });
    assert.ok(inked > 5_000, `${inked} pixels are drawn`);
    const shifted = await page.shifted();
    t.diagnostic(`layout shift of the series page: ${shifted.toFixed(4)}`);
    await page.check();
  });

  test("one of a hundred thousand series is found by keys alone", async (t) => {
    const page = await begin("#/job/many/series");
    await page.waitForURL(/series\/store_000%2Fitem_000000$/);
    await drawn(page, "store_000/item_000000");
    await page.keyboard.press("/");
    assert.equal(await page.evaluate(() => document.activeElement.id), "series-search");
    await page.locator(".options-note", { hasText: "100,000 of 100,000 series; the first 50 are shown" }).waitFor();
    const started = Date.now();
    await page.keyboard.type("ITEM_0999 store_99");
    await page.locator(".options-note", { hasText: "10 of 100,000 series" }).waitFor();
    t.diagnostic(
      `search over 100 000 ids: ${Date.now() - started} ms from the first key, 150 of them waiting for the last`,
    );
    await page.keyboard.press("ArrowDown");
    const chosen = await page.locator('.options [aria-selected="true"]').innerText();
    assert.equal(await page.locator("#series-search").getAttribute("aria-activedescendant"), "series-option-1");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: chosen }).waitFor();
    await drawn(page, chosen);
    await page.keyboard.press("/");
    await page.locator(".options-panel").waitFor();
    await page.keyboard.press("Escape");
    await page.locator(".options-panel").waitFor({ state: "hidden" });
    await page.locator("#series-search").fill("no such thing");
    await page.locator(".options-note", { hasText: "None of 100,000 series matches" }).waitFor();
    await page.check();
  });

  test("time is moved through by mouse, wheel, keys and buttons", async () => {
    const page = await begin("#/job/load/series/north");
    await drawn(page, "north");
    const home = await stretch(page);
    const over = page.locator(".plot .u-over");
    const box = await over.boundingBox();
    const [y, x] = [box.y + box.height / 2, (share) => box.x + box.width * share];
    await page.mouse.move(x(0.5), y);
    await page.mouse.wheel(0, 200);
    await page.waitForFunction(() => window.scrollY > 0);
    assert.deepEqual(await stretch(page), home, "a wheel that only passes by scrolls the page");
    await page.evaluate(() => window.scrollTo(0, 0));
    await moved(page, async () => {
      await page.mouse.move(x(0.3), y);
      await page.mouse.down();
      await page.mouse.move(x(0.45), y, { steps: 4 });
      await page.mouse.move(x(0.6), y, { steps: 4 });
      await page.mouse.up();
    });
    const share = (await width(page)) / (home[1] - home[0]);
    assert.ok(Math.abs(share - 0.3) < 0.02, `a drag over 30 % shows ${share}`);
    const near = await width(page);
    await moved(page, () => page.mouse.wheel(0, -200));
    assert.ok((await width(page)) < near);
    await moved(page, () => page.mouse.dblclick(x(0.5), y));
    assert.deepEqual(await stretch(page), home);
    await page.locator(".plot-box").focus();
    await moved(page, () => page.keyboard.press("+"));
    assert.ok(Math.abs((await width(page)) - (home[1] - home[0]) / 2) <= 2);
    const zoomed = await stretch(page);
    const earlier = await moved(page, () => page.keyboard.press("ArrowLeft"));
    assert.ok(earlier[0] < zoomed[0]);
    await moved(page, () => page.keyboard.press("ArrowRight"));
    await moved(page, () => page.keyboard.press("-"));
    await moved(page, () => page.keyboard.press("+"));
    await moved(page, () => page.keyboard.press("0"));
    assert.deepEqual(await stretch(page), home);
    await page.keyboard.press("Shift+ArrowLeft");
    assert.match(
      await page.locator(".spoken").innerText(),
      /\d{4}-\d{2}-\d{2} \d{2}:\d{2} [+−]\d{2}:00: Observed [\d–]/,
    );
    await moved(page, () => page.getByRole("button", { name: "All values" }).click());
    assert.ok((await width(page)) > 10_000 * 3_600_000 * 0.99);
    for (const name of ["Zoom in", "Later", "Earlier", "Zoom out", "Recent: the forecast and what came before it"]) {
      if (name === "Later") await moved(page, () => page.getByRole("button", { name: "Earlier", exact: true }).click());
      await moved(page, () => page.getByRole("button", { name, exact: true }).click());
    }
    assert.deepEqual(await stretch(page), home);
    await page.check();
  });

  test("the zone of all times is chosen: that of the source, UTC, or that of the browser", async () => {
    const page = await begin("#/job/load/series/north");
    await drawn(page, "north");
    const told = async () => [
      await page.locator(".legend-time dd").innerText(),
      await page.locator(".vintage-words strong").innerText(),
      await page.locator(".series-title p").innerText(),
    ];
    const source = await told();
    assert.match(source[0], /\+0[12]:00$/);
    assert.match(source[2], /Europe\/Berlin$/);
    await page.locator("#zone").selectOption("utc");
    const utc = await told();
    assert.ok(utc[0].endsWith("+00:00") && utc[1].endsWith("+00:00") && utc[2].endsWith("UTC"), `${utc}`);
    await page.locator("#zone").selectOption("browser");
    const browser = await told();
    assert.ok(/−0[45]:00$/.test(browser[0]) && browser[2].endsWith("America/New_York"), `${browser}`);
    const instant = (text) => Date.parse(text.replace("−", "-").replace(/ (?=[+-])/, ""));
    assert.equal(instant(source[0]), instant(browser[0]), "the same instant");
    await page.check();
  });

  test("earlier forecasts are held against what came; everything is there as a table", async () => {
    const page = await begin("#/job/load/series/north");
    await drawn(page, "north");
    const words = page.locator(".vintage-words");
    assert.match(await words.innerText(), /newest · seasonal_naive v\d/);
    await page.getByRole("button", { name: "Earlier forecast" }).click();
    await page.getByRole("button", { name: "Earlier forecast" }).click();
    assert.match(
      await words.innerText(),
      /2 before the newest[^]*[12] of 24 steps ha(s|ve) come true: mean absolute error \d/,
    );
    await page.locator("#vintage").fill("0");
    assert.match(await words.innerText(), /19 before the newest/);
    await page.getByLabel("show the others").uncheck();
    assert.equal(await page.locator(".legend [data-kind=older]").count(), 0);
    await page.getByRole("button", { name: "Show as table" }).click();
    const table = page.locator(".plot-table");
    assert.match(
      await table.innerText(),
      /Time, Europe\/Berlin\s+Observed\s+Forecast\s+80 % from\s+to\s+95 % from\s+to\s+Anomaly/,
    );
    assert.ok((await table.locator("tbody tr").count()) > 100);
    await page.getByRole("button", { name: "Show as table" }).click();
    await page.locator(".plot").waitFor();
    const odd = page.getByRole("region", { name: "Anomalies" }).first();
    assert.match(await odd.innerText(), /▲ above/);
    await moved(page, () => odd.getByRole("button").first().click());
    await page.check();
  });

  test("a new run appears while the page is looked at", async () => {
    const page = await begin("#/job/small/series");
    await page.waitForURL(/#\/job\/small\/series\/.+/);
    await page.locator(".plot[data-ready]").waitFor();
    const issued = page.locator(".vintage-words strong");
    const before = await issued.innerText();
    await shared.world.daemon.work("small", "forecast");
    await page.waitForFunction((text) => document.querySelector(".vintage-words strong")?.innerText !== text, before, {
      timeout: 15_000,
    });
    await page.check();
  });

  test("an id that is a script stays an id", async () => {
    const page = await begin(`#/job/load/series/${encodeURIComponent(EVIL)}`);
    await page.getByRole("heading", { name: EVIL }).waitFor();
    await drawn(page, EVIL);
    await page.keyboard.press("/");
    await page.locator(".options").getByText(EVIL, { exact: true }).waitFor();
    assert.equal(await page.locator("img").count(), 0);
    assert.equal(await page.title(), `${EVIL} · load · s4cast`);
    await page.getByRole("button", { name: "Show as table" }).click();
    await page.locator(".plot-table caption", { hasText: EVIL }).waitFor();
    await page.check();
  });
}
