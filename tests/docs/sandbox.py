"""One page's folder: its commands run there as a reader would run them, one block after the other."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

# The address that pages name; here it is a free port of this machine.
ADDRESS = "127.0.0.1:8091"
# A block may take so long, and a daemon to come up or to end, in seconds; on a quiet machine all pages take two minutes.
LIMIT_S = 600

PRELUDE = """\
set -euo pipefail
if [ -e .shell ]; then . ./.shell; fi
trap 'code=$?; export -p > "$SANDBOX/.shell"; printf "cd %q\\n" "$PWD" >> "$SANDBOX/.shell"; exit $code' EXIT
"""


class Sandbox:
    def __init__(self, folder, commands, environment, port):
        self.folder, self.port = Path(folder), port
        self.folder.mkdir(parents=True)
        self.environment = {
            **environment,
            "PATH": f"{commands}:{environment['PATH']}",
            "HOME": str(self.folder),
            "SANDBOX": str(self.folder),
            "S4CAST_NO_PROGRESS": "1",
            "NO_COLOR": "1",
            "COLUMNS": "120",
            "TZ": "UTC",
            "LC_ALL": "C.UTF-8",
        }
        self.running = []

    def here(self, text):
        return text.replace(ADDRESS, f"127.0.0.1:{self.port}")

    def there(self, text):
        return text.replace(f"127.0.0.1:{self.port}", ADDRESS)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.here(text))

    def move(self):
        """Gives configs that the program wrote this page's address."""
        for path in self.folder.glob("*.toml"):
            text = path.read_text()
            if ADDRESS in text:
                path.write_text(self.here(text))

    def start(self, text):
        """A shell over commands, in a process group of its own, and the file that its output goes to."""
        self.move()
        script = self.folder / f".block{len(list(self.folder.glob('.block*.sh')))}.sh"
        script.write_text(PRELUDE + self.here(text))
        log = script.with_suffix(".log")
        with open(log, "wb") as out:
            process = subprocess.Popen(
                ["bash", script.name], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True,
            )
        return process, log

    def run(self, text):
        """Exit code and output of a block. What it leaves running in the background stays until the page ends."""
        process, log = self.start(text)
        self.running.append((process, log, False))
        try:
            code = process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return 124, f"no end after {LIMIT_S} s\n" + log.read_text(errors="replace")
        return code, self.there(log.read_text(errors="replace"))

    def background(self, text, url):
        """Starts a block that stays; what is wrong if `url` does not answer."""
        process, log = self.start("exec " + text.strip() + "\n")
        self.running.append((process, log, True))
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            if process.poll() is not None:
                return f"ended with {process.returncode}:\n{log.read_text(errors='replace')}"
            try:
                urllib.request.urlopen(self.here(url), timeout=5).close()
                return None
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        return f"{url} does not answer:\n{log.read_text(errors='replace')}"

    def end(self):
        """Ends what the page left running; what is wrong with how a background block ended."""
        wrong = []
        for process, log, is_awaited in self.running:
            try:
                os.killpg(process.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
            if not is_awaited:
                continue
            try:
                code = process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                code = process.wait()
            if code != 0:
                wrong.append(f"after SIGTERM it ended with {code}:\n{log.read_text(errors='replace')[-2000:]}")
        return wrong
