"""What the tests of object stores share: the program, a server with S3's interface, places to put data, checks.

A test is a function `test_…(world)` in a file `test_….py` of this folder; `run.py` finds and runs them. It gets a `World` with
a folder and a bucket of its own, and fails by an exception. `world.places()` gives the same scenario a local folder and an
address: whatever is done by path has to come out the same by address.
"""

import json
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import boto3
import botocore.config
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from proxy import Proxy

ROOT = Path(__file__).resolve().parents[2]


class QuietHandler(WSGIRequestHandler):
    """Keeps connections open, as real servers do, and says nothing."""

    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


class Server:
    """Buckets in memory on a port of 127.0.0.1. Writes go one at a time, so that a conditional put is atomic."""

    def __init__(self):
        app, alone = DomainDispatcherApplication(create_backend_app), threading.Lock()

        def serialised(environ, start_response):
            if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
                return app(environ, start_response)
            with alone:
                return list(app(environ, start_response))

        self.http = make_server("127.0.0.1", 0, serialised, threaded=True, request_handler=QuietHandler)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        quick = botocore.config.Config(retries={"max_attempts": 2}, s3={"addressing_style": "path"})
        self.client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{self.port}", config=quick, **KEYS)

    def stop(self):
        self.http.shutdown()


KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}


class Folder:
    """A place on the disk: where a scenario reads and writes by path."""

    is_remote = False

    def __init__(self, root):
        self.root = Path(root)
        self.root.mkdir(parents=True, exist_ok=True)

    def url(self, name=""):
        return str(self.root / name) if name else str(self.root)

    def put(self, name, data):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)

    def get(self, name):
        return (self.root / name).read_bytes()

    def delete(self, name):
        (self.root / name).unlink()

    def names(self):
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file())


class Bucket:
    """A place in a bucket, below a prefix: the same interface by address."""

    is_remote = True

    def __init__(self, client, bucket, prefix=""):
        self.client, self.bucket, self.prefix = client, bucket, prefix

    def url(self, name=""):
        return f"s3://{self.bucket}/{self.prefix}{name}".rstrip("/")

    def put(self, name, data):
        body = data.encode() if isinstance(data, str) else data
        self.client.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=body)

    def get(self, name):
        return self.client.get_object(Bucket=self.bucket, Key=self.prefix + name)["Body"].read()

    def delete(self, name):
        self.client.delete_object(Bucket=self.bucket, Key=self.prefix + name)

    def names(self):
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
        keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
        return sorted(key[len(self.prefix):] for key in keys)

    def uploads(self):
        """Uploads in parts that were begun and neither completed nor aborted."""
        return self.client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])


class World:
    """What one test has: a folder, a bucket, the program and a proxy in front of the server."""

    def __init__(self, bucket, folder, server, program):
        self.bucket, self.folder, self.server, self.program = bucket, Path(folder), server, program
        self.folder.mkdir(parents=True)
        server.client.create_bucket(Bucket=self.bucket)
        self.tmp = self.folder / "tmp"
        self.tmp.mkdir()
        self._proxy = None
        self._processes = []

    def close(self):
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        if self._proxy:
            self._proxy.close()

    @property
    def proxy(self):
        """A proxy in front of the server that can be told to fail; it begins with the first use."""
        if self._proxy is None:
            self._proxy = Proxy(self.server.port)
        return self._proxy

    def local(self, name="local"):
        return Folder(self.folder / name)

    def remote(self, name=""):
        return Bucket(self.server.client, self.bucket, f"{name}/" if name else "")

    def places(self):
        return [self.local("local"), self.remote("remote")]

    def env(self, port=None, **more):
        """The environment of the program: the keys, and which server stands behind s3://."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(("S4CAST_", "AWS_"))}
        env |= {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port or self.server.port}",
            "AWS_ALLOW_HTTP": "true",
            "TMPDIR": str(self.tmp),
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        return env | more

    def run(self, *arguments, code=0, timeout=120, port=None, **env):
        """Runs the program to its end, which has to be with this exit code (None: any)."""
        words = [self.program, *map(str, arguments)]
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=timeout, cwd=self.folder, env=self.env(port, **env)
        )
        if code is not None and done.returncode != code:
            shown = " ".join(words[1:])
            raise AssertionError(f"{shown}\nexit code {done.returncode}, not {code}\n{done.stdout}{done.stderr}")
        return done

    def json(self, *arguments, **more):
        """Runs the program with --json and returns the document."""
        return json.loads(self.run(*arguments, "--json", **more).stdout)

    def start(self, *arguments, port=None, log="log.txt", **env):
        """Starts the program, a daemon for example; it is killed at the end of the test if it still runs."""
        output = open(self.folder / log, "ab")
        words = [self.program, *map(str, arguments)]
        process = subprocess.Popen(
            words, stdout=output, stderr=subprocess.STDOUT, cwd=self.folder, env=self.env(port, **env)
        )
        self._processes.append(process)
        return process

    def leftovers(self):
        """What lies in the folder for temporary files."""
        return sorted(path.name for path in self.tmp.iterdir())


def wait_for(what, holds, seconds=30):
    """Waits until `holds()` is true and returns what it gave."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = holds()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {seconds} s")


def same(what, a, b):
    """Two values are one."""
    if a != b:
        place, a, b = difference(a, b)
        shown = [text if len(text) < 400 else text[:400] + " …" for text in (repr(a), repr(b))]
        raise AssertionError(f"{what} differ{place}:\n  {shown[0]}\n  {shown[1]}")


def difference(a, b, place=""):
    """Where two values differ first, and how."""
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        name = next(name for name in a if a[name] != b[name])
        return difference(a[name], b[name], f"{place} at {name}")
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and len(a) == len(b):
        at = next(at for at, (one, other) in enumerate(zip(a, b)) if one != other)
        return difference(a[at], b[at], f"{place} at {at}")
    return place, a, b


def clean(folder):
    shutil.rmtree(folder, ignore_errors=True)
