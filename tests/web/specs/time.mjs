// Times and marks of axes, where clocks change: in the browser, whose zones they are.

import { test } from "node:test";
import assert from "node:assert/strict";
import { open } from "../support/browser.mjs";

export function time(shared) {
  test("times are told apart where the clock shows them twice, and marks stand on round hours over a change", async () => {
    const page = await open(shared.browser, shared.world.daemon.base);
    await page.show("#/");
    const found = await page.evaluate(async () => {
      const [time, ticks] = [await import("/assets/time.js"), await import("/assets/ticks.js")];
      const berlin = "Europe/Berlin";
      const autumn = Date.UTC(2026, 9, 25);
      const spring = Date.UTC(2026, 2, 29);
      const clocks = (marks, zone) => marks.map((ms) => time.stamp(ms, zone).slice(11));
      return {
        twice: [time.exact(autumn, berlin), time.exact(autumn + 3_600_000, berlin)],
        john: time.exact(autumn, "America/St_Johns"),
        nepal: time.exact(autumn, "Asia/Kathmandu"),
        unknown: time.exact(autumn, "Mars/Olympus"),
        spring: clocks(ticks.ticks(spring - 3_600_000, spring + 5 * 3_600_000, berlin, 8), berlin),
        days: clocks(ticks.ticks(autumn - 3 * 86_400_000, autumn + 3 * 86_400_000, berlin, 8), berlin),
        months: ticks
          .ticks(Date.UTC(2025, 0, 1), Date.UTC(2026, 0, 1), berlin, 13)
          .map((ms) => time.day(ms, berlin).slice(8)),
        labels: ticks.labels(ticks.ticks(autumn, autumn + 36 * 3_600_000, berlin, 4), berlin),
        spans: [0, 0.4, 59, 61, 3_600, 90_061, 8_640_000].map(time.span),
      };
    });
    assert.deepEqual(found.twice, ["2026-10-25 02:00 +02:00", "2026-10-25 02:00 +01:00"]);
    assert.equal(found.john, "2026-10-24 21:30 −02:30");
    assert.equal(found.nepal, "2026-10-25 05:45 +05:45");
    assert.equal(found.unknown, "2026-10-25 00:00 +00:00");
    assert.deepEqual(found.spring, ["00:00", "01:00", "03:00", "04:00", "05:00", "06:00", "07:00"]);
    assert.deepEqual([...new Set(found.days)], ["00:00"]);
    assert.deepEqual([...new Set(found.months)], ["01"]);
    assert.deepEqual(found.labels, ["12:00\n25 Oct 2026", "00:00\n26 Oct", "12:00"]);
    assert.deepEqual(found.spans, ["0 s", "400 ms", "59 s", "1 min 1 s", "1 h", "1 d 1 h", "100 d"]);
    await page.check();
  });
}
