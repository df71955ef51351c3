// The built daemon as a process, on data of the test.

import { spawn, spawnSync } from "node:child_process";
import { createServer } from "node:net";
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const PROGRAM = process.env.S4CAST ?? new URL("../../../target/release/s4cast", import.meta.url).pathname;
export const TOKEN = "sesame";

/// A port that nobody listens on.
function freePort() {
  return new Promise((found) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => found(port));
    });
  });
}

/// Runs a command of the program to its end.
export function s4cast(folder, ...words) {
  const { status, stderr } = spawnSync(PROGRAM, words, {
    cwd: folder,
    env: { ...process.env, DASHBOARD_TOKEN: TOKEN },
    encoding: "utf8",
    timeout: 120_000,
  });
  if (status !== 0) throw new Error(`s4cast ${words.join(" ")}: ${status}: ${stderr.slice(-2000)}`);
}

/// Waits until something is so.
export async function until(what, condition, patience = 60_000) {
  const end = Date.now() + patience;
  while (Date.now() < end) {
    const found = await condition().catch(() => false);
    if (found) return found;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`it never came: ${what}`);
}

/// Starts a daemon in a folder; `config` is what stands below [http], whose address is chosen here; `http` are further keys of it.
export async function start(folder, name, config, { token = true, port, http: more = "" } = {}) {
  const chosen = port ?? (await freePort());
  const http = `[http]\nlisten = "127.0.0.1:${chosen}"\n${token ? 'token = { env = "DASHBOARD_TOKEN" }\n' : ""}${more}`;
  writeFileSync(
    join(folder, `${name}.toml`),
    `schema_version = 1\n[daemon]\nstate = "state-${name}"\nreload = "1s"\n${http}${config}`,
  );
  const child = spawn(PROGRAM, ["serve", "-c", `${name}.toml`], {
    cwd: folder,
    env: { ...process.env, DASHBOARD_TOKEN: TOKEN },
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (text) => appendFileSync(join(folder, `${name}.log`), text));
  const gone = new Promise((done) => child.on("exit", done));
  const base = `http://127.0.0.1:${chosen}`;
  const daemon = {
    base,
    get: async (path) => (await fetch(`${base}/api/v1/${path}`)).json(),
    post: async (path, body) => {
      const answer = await fetch(`${base}/api/v1/${path}`, {
        method: "POST",
        headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
      return answer.json();
    },
    /// Runs a stage now and waits for its end.
    work: async (job, stage) => {
      const { id } = await daemon.post(`jobs/${job}/run`, { stage });
      await until(`slot ${id} of ${job}`, async () => (await daemon.get(`runs/${id}`)).outcome !== null);
      return daemon.get(`runs/${id}`);
    },
    drain: () => child.kill("SIGTERM"),
    stop: async (signal = "SIGTERM") => {
      child.kill(signal);
      await gone;
    },
    gone,
  };
  await until(`${name} is ready`, async () => (await fetch(`${base}/readyz`)).ok, 30_000);
  return daemon;
}
