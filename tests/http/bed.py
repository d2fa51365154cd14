# SPDX-License-Identifier: Apache-2.0
"""A real usherd on a socket and store of its own, asked over plain sockets and by the CLI."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

BUILD = os.environ["USHER_BUILD"]
NOBODY = 65534


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


def until(what, seconds=10):
    """Waits for something to be true and returns it."""
    end = time.monotonic() + seconds
    while True:
        result = what()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError("waited in vain")
        time.sleep(0.02)


def read_head(sock):
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(4096)
        if not more:
            raise ConnectionError(f"closed after {data!r}")
        data += more
    head, rest = data.split(b"\r\n\r\n", 1)
    lines = head.decode().split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, value = line.split(":", 1)
        headers[name.strip().lower()] = value.strip()
    return int(lines[0].split(" ")[1]), headers, rest


def read_answer(sock):
    status, headers, body = read_head(sock)
    while len(body) < int(headers["content-length"]):
        body += sock.recv(65536)
    return Answer(status, headers, body.decode())


class Lines:
    """The lines of a chunked stream."""

    def __init__(self, sock, rest):
        self.sock, self.raw, self.text = sock, rest, b""
        self.ended = False

    def _chunk(self):
        while b"\r\n" not in self.raw:
            self._more()
        size_text, self.raw = self.raw.split(b"\r\n", 1)
        size = int(size_text, 16)
        while len(self.raw) < size + 2:
            self._more()
        self.text += self.raw[:size]
        self.raw = self.raw[size + 2:]
        self.ended = size == 0

    def _more(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        self.raw += data

    def next(self):
        while b"\n" not in self.text:
            if self.ended:
                raise EOFError
            self._chunk()
        line, self.text = self.text.split(b"\n", 1)
        return json.loads(line)


class Bed(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="usher-http-")
        os.chmod(self.dir, 0o755)
        self.socket = f"{self.dir}/usherd.sock"
        self.store = f"{self.dir}/usher.db"
        self.processes = []
        self.addCleanup(self.clean)

    def clean(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream:
                    stream.close()
        shutil.rmtree(self.dir)

    def spawn(self, *words, **keywords):
        process = subprocess.Popen(words, **keywords)
        self.processes.append(process)
        return process

    def start(self, *flags, store=None, env=None):
        process = self.spawn(f"{BUILD}/usherd", "--socket", self.socket, "--store", store or self.store,
                             *flags, stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})
        until(lambda: process.poll() is not None or self.answers())
        self.assertIsNone(process.poll(), "usherd has ended")
        return process

    def stop(self, process, number=signal.SIGTERM):
        process.send_signal(number)
        return process.wait(10)

    def answers(self):
        try:
            self.connect().close()
            return True
        except OSError:
            return False

    def connect(self):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(20)
        try:
            sock.connect(self.socket)
        except OSError:
            sock.close()
            raise
        return sock

    def ask(self, method, path, body=None, headers=()):
        text = body if isinstance(body, str) else json.dumps(body) if body is not None else ""
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close",
                 f"Content-Length: {len(text.encode())}", *headers]
        with self.connect() as sock:
            sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + text.encode())
            return read_answer(sock)

    def open_stream(self, path):
        sock = self.connect()
        self.addCleanup(sock.close)
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        status, headers, rest = read_head(sock)
        self.assertEqual(status, 200)
        self.assertEqual(headers["content-type"], "application/x-ndjson")
        return Lines(sock, rest)

    def command(self, *words):
        return [f"{BUILD}/usher", "--server", self.socket, *words]

    def cli(self, *words, status=0, **keywords):
        done = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=60, **keywords)
        self.assertEqual(done.returncode, status, f"{words}: {done.stdout}{done.stderr}")
        return done

    def cli_json(self, *words, status=0):
        return json.loads(self.cli("--json", *words, status=status).stdout)


class Agent:
    """Stands for a node's agent: says what a test wants said."""

    def __init__(self, bed, guests=("vm1",)):
        self.bed, self.session, self.guests = bed, None, guests
        self.wants = None
        self.exchange()
        self.exchange()

    def exchange(self, **more):
        report = {
            "node": "n1", "session": self.session, "machine_id": "m1", "boot_id": "b1", "instance": "i1",
            "kernel": "6.1", "agent_version": "0", "ready": True, "devices_total": 1,
            "devices": [{
                "address": "0000:01:00.0", "id": "d-aaaaaaaaaa", "class": "020000", "type": "network",
                "vendor_id": "8086", "device_id": "10d3", "iommu_group": 1, "node": "n1", "state": "host",
                "guard": {"verdict": "free", "reasons": []},
                "passthrough": {"whole": "yes", "vgpu": [], "because": []},
            }],
            "has_guests": True,
            "guests": [{
                "name": name, "uuid": f"u-{name}", "backend": "libvirt", "state": "shut-off",
                "persistent": True, "hostdevs": [], "leases": [],
            } for name in self.guests],
            **more,
        }
        answer = self.bed.ask("POST", "/v1/nodes/n1/exchange", report)
        self.bed.assertEqual(answer.status, 200, answer.body)
        self.wants = answer.json()
        self.session = self.wants["session"]
        return self.wants

    def operation(self):
        """The first one that is wanted, once there is one."""
        return until(lambda: self.exchange()["operations"])[0]

    def tell(self, operation, state, *steps, error=None):
        told = {**operation, "state": state, "error": error,
                "steps": [{"text": text, "state": step} for text, step in steps]}
        return self.exchange(operations=[told])
