// Everything that the tests look at: a daemon with a past, and how to begin others beside it.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { s4cast, start } from "./daemon.mjs";
import { HOUR, writeSources } from "./data.mjs";

/// Jobs: `load` has a long past and 23 forecasts, `small` a trained model, `many` very many series, `broken` fails, `later`
/// has done nothing yet.
const JOBS = `
[source.load]
inputs = "load.csv"
id = ["unique_id"]
tz = "Europe/Berlin"
[source.small]
inputs = "small.csv"
[source.many]
inputs = "many.csv"
id = ["unique_id"]
[source.bad]
inputs = "bad.csv"
[model.load]
kind = "seasonal_naive"
season_length = 24
horizon = 24
[model.small]
kind = "ridge"
season_length = 24
horizon = 6
[model.naive]
kind = "naive"
horizon = 2
[sink.lake]
path = "out"
[job.load]
source = "load"
model = "load"
sink = "lake"
train = { every = "12h" }
forecast = { every = "1h" }
score = { every = "6h" }
anomaly = { level = 95 }
[job.small]
source = "small"
model = "small"
sink = "lake"
train = { every = "12h" }
forecast = { every = "2h" }
score = { every = "6h" }
`;
const ON_DEMAND = ["many", "bad", "later"]
  .map((job) => {
    const source = job === "later" ? "small" : job;
    return `[job.${job === "bad" ? "broken" : job}]\nsource = "${source}"\nmodel = "naive"\nsink = "lake"\nforecast = { cron = "5 0 29 2 *" }\n`;
  })
  .join("");

/// Makes the world; `end` takes it away.
export async function world() {
  const folder = mkdtempSync(join(tmpdir(), "s4cast-web-"));
  const now = Math.floor(Date.now() / HOUR) * HOUR;
  writeSources(folder, now);
  const simulated = join(folder, "past.toml");
  writeFileSync(simulated, `schema_version = 1\n[daemon]\nstate = "state-main"\n${JOBS}`);
  const iso = (ms) => `${new Date(ms).toISOString().slice(0, 19)}Z`;
  s4cast(folder, "serve", "-c", "past.toml", "--clock", `sim:${iso(now - 23 * HOUR)}..${iso(now + 60_000)}`);
  mkdirSync(join(folder, "out/backtests/job=load"), { recursive: true });
  s4cast(
    folder,
    "backtest",
    "small.csv",
    "-H",
    "6",
    "--windows",
    "4",
    "--models",
    "seasonal_naive,naive",
    "-o",
    "out/backtests/job=load/first.parquet",
  );
  const config = JOBS + ON_DEMAND;
  const daemon = await start(folder, "main", config);
  await Promise.all([daemon.work("many", "forecast"), daemon.work("broken", "forecast")]);
  const others = [];
  return {
    folder,
    daemon,
    config,
    async beside(name, settings, options) {
      const other = await start(folder, name, settings, options);
      others.push(other);
      return other;
    },
    async end() {
      await Promise.all([this.daemon, ...others].map((one) => one.stop("SIGKILL")));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
