// One daemon, one browser, and all that a person does with them, in order: the last tests end the daemon.

import { after, before } from "node:test";
import { launch } from "./support/browser.mjs";
import { world } from "./support/world.mjs";
import { time } from "./specs/time.mjs";
import { overview } from "./specs/overview.mjs";
import { series } from "./specs/series.mjs";
import { changes } from "./specs/changes.mjs";
import { access } from "./specs/access.mjs";
import { states } from "./specs/states.mjs";

const shared = {};
before(async () => {
  shared.browser = await launch();
  shared.world = await world();
});
after(async () => {
  await shared.browser?.close();
  await shared.world?.end();
});

for (const specs of [time, overview, series, access, changes, states]) specs(shared);
