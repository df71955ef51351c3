// What changes something: asked first, with the token, and every refusal in words.

import { test } from "node:test";
import assert from "node:assert/strict";
import { open } from "../support/browser.mjs";
import { TOKEN, s4cast, until } from "../support/daemon.mjs";

export function changes(shared) {
  test("a version is promoted with the token, and only with it", async () => {
    const { daemon } = shared.world;
    const page = await open(shared.browser, daemon.base, { expected: ["status of 401"] });
    await page.show("#/job/small/models");
    const { champion, versions } = await daemon.get("models/small");
    const other = versions.find(({ version }) => version !== champion).version;
    const dialog = page.getByRole("dialog");
    const promote = page.getByRole("button", { name: `Promote version ${other}` });
    await promote.click();
    await dialog.getByRole("heading", { name: `Promote version ${other} of small?` }).waitFor();
    await dialog.getByRole("button", { name: "Promote" }).click();
    await dialog.getByText("The token is missing").waitFor();
    await page.getByLabel("Token of this daemon").fill("wrong");
    await page.keyboard.press("Enter");
    await dialog.getByText("This is not the token of this daemon").waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), "token");
    assert.equal((await daemon.get("models/small")).champion, champion, "nothing was changed");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    assert.match(
      await page.evaluate(() => document.activeElement.getAttribute("aria-label")),
      /^Promote version/,
      "the focus is back",
    );

    await promote.click();
    await page.getByLabel("Token of this daemon").fill(TOKEN);
    await page.keyboard.press("Enter");
    await page.locator(".toast", { hasText: `Version ${other} of small serves now` }).waitFor();
    assert.equal((await daemon.get("models/small")).champion, other);
    await page
      .locator("tr", { hasText: `v${other}` })
      .getByText("serves")
      .waitFor();
    await page.getByText("asked for over HTTP").waitFor();
    assert.deepEqual(
      await page.evaluate(
        (token) => [
          Object.values(localStorage).includes(token),
          document.cookie,
          sessionStorage.getItem("s4cast.token"),
        ],
        TOKEN,
      ),
      [false, "", TOKEN],
    );

    await page.getByRole("button", { name: "Roll back" }).click();
    await dialog.getByRole("button", { name: "Roll back" }).click();
    await page.locator(".toast", { hasText: `Version ${champion} of small serves now` }).waitFor();
    await page.check();
  });

  test("a refusal says why", async () => {
    const { daemon, folder } = shared.world;
    const { champion, versions } = await daemon.get("models/small");
    const other = versions.find(({ version }) => version !== champion).version;
    s4cast(folder, "models", "pin", String(champion), "--job", "small", "--state", "state-main");
    const page = await open(shared.browser, daemon.base, { expected: ["status of 409"] });
    await page.show("#/job/small/models");
    await page.getByRole("button", { name: `Promote version ${other}` }).click();
    await page.getByLabel("Token of this daemon").fill(TOKEN);
    await page.keyboard.press("Enter");
    await page
      .getByRole("dialog")
      .getByText(/It cannot be done now: .*pinned/)
      .waitFor();
    s4cast(folder, "models", "unpin", String(champion), "--job", "small", "--state", "state-main");
    await page.check();
  });

  test("runs are found by filters, read, and worked again", async () => {
    const { daemon } = shared.world;
    const page = await open(shared.browser, daemon.base);
    await page.show("#/runs");
    await page.locator("#by-job").selectOption("broken");
    await page.waitForURL(/#\/runs\?job=broken$/);
    await page.locator("#by-outcome").selectOption("failed");
    await page.waitForURL(/outcome=failed/);
    // The address turns before the list of it has come.
    await until("its one failed slot alone is listed", async () => (await page.locator(".runs tbody tr").count()) === 1);
    await page.locator(".runs tbody a").click();
    await page.getByRole("heading", { name: "forecast of broken" }).waitFor();
    await page.getByText("'two' is no number").first().waitFor();
    await page.locator(".log", { hasText: "slot ended" }).waitFor();
    assert.equal(await page.title(), "failed: forecast of broken · s4cast");
    await page.getByRole("button", { name: "Retry" }).click();
    await page.getByLabel("Token of this daemon").fill(TOKEN);
    await page.keyboard.press("Enter");
    await page.locator(".toast", { hasText: "is planned" }).waitFor();
    await until(
      "the slot is worked again",
      async () => (await daemon.get("runs?job=broken")).runs[0].outcome === "failed",
    );
    await page.locator(".mark", { hasText: "failed" }).waitFor();
    await page.show("#/runs?outcome=missed&job=later");
    await page.getByText("No slot matches").waitFor();
    await page.getByRole("link", { name: "Show all" }).click();
    await page.locator(".runs tbody tr").first().waitFor();
    await page.check();
  });
}
