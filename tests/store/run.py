#!/usr/bin/env python3
"""Runs the tests of this folder, all of them or those whose names contain one of the arguments; see `run.sh`."""

import importlib
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from common import ROOT, Server, World, clean  # noqa: E402


def tests(wanted):
    found = []
    for path in sorted(HERE.glob("test_*.py")):
        module = importlib.import_module(path.stem)
        names = [name for name in vars(module) if name.startswith("test_")]
        found += [(f"{path.stem}.{name}", getattr(module, name)) for name in names]
    return [(name, test) for name, test in found if not wanted or any(word in name for word in wanted)]


def main():
    program = os.environ.get("S4CAST", str(ROOT / "target/release/s4cast"))
    kept = Path(os.environ.get("STORE_CACHE", ROOT / "target/store"))
    kept.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=kept))
    server = Server()
    passed, failed = 0, []
    for number, (name, test) in enumerate(tests(sys.argv[1:])):
        world = World(f"bucket-{number}", folder / name, server, program)
        began = time.monotonic()
        try:
            test(world)
            passed += 1
            print(f"ok     {name} ({time.monotonic() - began:.1f} s)", flush=True)
        except Exception:
            failed.append(name)
            print(f"FAILED {name}\n{traceback.format_exc()}", flush=True)
        finally:
            world.close()
    server.stop()
    if failed:
        print(f"what they left is in {folder}")
    else:
        clean(folder)
    print(f"{passed} passed, {len(failed)} failed")
    # Threads of connections that hang do not keep the end waiting.
    sys.stdout.flush()
    os._exit(1 if failed else 0)


if __name__ == "__main__":
    main()
