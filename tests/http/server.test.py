#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usherd as a process: who is served, limits, streams, restarts."""
import os
import resource
import signal
import socket
import subprocess
import sys
import time
import unittest

from bed import BUILD, NOBODY, Agent, Bed, read_answer, read_head, until

ASK = """
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
s.sendall(b"GET /v1/groups HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
print(s.recv(4096).decode())
"""
HOLD = """
import socket, sys, time
held = []
for i in range(24):
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); held.append(s)
print("held", flush=True)
time.sleep(0.5)
open_ones = 0
for s in held:
    s.setblocking(False)
    try: open_ones += s.recv(1) != b""
    except BlockingIOError: open_ones += 1
    except ConnectionError: pass
print(open_ones, flush=True)
sys.stdin.read()
"""


class Access(Bed):
    def ask_as(self, uid, *groups):
        words = ["setpriv", "--reuid", str(uid), "--regid", str(uid)]
        words += ["--groups", ",".join(groups)] if groups else ["--clear-groups"]
        words += [sys.executable, "-c", ASK, self.socket]
        return subprocess.run(words, capture_output=True, text=True, timeout=30, check=True).stdout

    @unittest.skipIf(os.getuid() != 0, "needs root")
    def test_strangers(self):
        self.start("--admin-group", "daemon")
        self.assertEqual(os.stat(self.socket).st_mode & 0o777, 0o666)
        self.assertIn(" 403 ", self.ask_as(NOBODY))
        self.assertIn("application/problem+json", self.ask_as(NOBODY))
        self.assertIn(" 403 ", self.ask_as(NOBODY, "99"))
        self.assertIn(" 200 ", self.ask_as(NOBODY, "99", "1"))
        self.assertIn(" 200 ", self.ask_as(NOBODY, "1", *map(str, range(1000, 1200))))
        self.assertIn(" 200 ", self.ask_as(1))

    @unittest.skipIf(os.getuid() != 0, "needs root")
    def test_strangers_hold_no_connections(self):
        self.start()
        holder = self.spawn("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups",
                            sys.executable, "-c", HOLD, self.socket, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)
        self.assertEqual(holder.stdout.readline(), "held\n")
        self.assertEqual(self.ask("GET", "/v1/groups").status, 200)
        self.assertLessEqual(int(holder.stdout.readline()), 16)
        self.assertEqual(self.ask("GET", "/v1/groups").status, 200)
        holder.communicate("")


class Limits(Bed):
    def test_slow_clients(self):
        self.start("--request-timeout", "1")
        silent = [self.connect() for _ in range(20)]
        half = self.connect()
        half.sendall(b"GET /v1/groups HTT")
        body = self.connect()
        body.sendall(b"PUT /v1/groups/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{")
        self.assertEqual(self.ask("GET", "/v1/groups").status, 200)
        for sock in [*silent, half, body]:
            sock.settimeout(10)
            try:
                while sock.recv(4096):
                    pass
            except ConnectionError:
                pass
            sock.close()
        # One byte at a time is no way around it.
        drip = self.connect()
        began = time.monotonic()
        with self.assertRaises(OSError):
            for _ in range(100):
                drip.sendall(b"G")
                time.sleep(0.1)
        self.assertLess(time.monotonic() - began, 8)
        drip.close()

    def test_half_closed(self):
        self.start("--request-timeout", "1")
        for data in (b"", b"GET /v1/groups HTT", b"PUT /v1/groups/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"):
            with self.connect() as sock:
                sock.settimeout(5)
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(4096):
                    pass
        with self.connect() as sock:
            sock.sendall(b"GET /v1/groups HTTP/1.1\r\nHost: localhost\r\n\r\n")
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(read_answer(sock).status, 200)
        self.assertEqual(self.ask("GET", "/v1/groups/x").status, 404)

    def test_many_idle_connections(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        process = self.start("--request-timeout", "2")
        idle = [self.connect() for _ in range(900)]  # more than it serves at once
        began = time.monotonic()
        self.assertEqual(self.ask("GET", "/v1/groups").status, 200)
        self.assertLess(time.monotonic() - began, 10)
        self.assertIsNone(process.poll())
        for sock in idle:
            sock.close()
        self.assertEqual(self.ask("GET", "/v1/groups").status, 200)
        # All of them end at the same moment: a server that was held up finds so many ends at once.
        idle = [self.connect() for _ in range(900)]
        time.sleep(0.5)
        process.send_signal(signal.SIGSTOP)
        time.sleep(3)
        process.send_signal(signal.SIGCONT)
        self.assertEqual(self.ask("GET", "/v1/groups").status, 200)
        for sock in idle:
            sock.close()

    def test_reader_that_rests(self):
        self.start("--request-timeout", "1", store=":memory:")
        for i in range(30):
            self.ask("PUT", f"/v1/groups/g{i}", {"type": "pci", "description": "x" * 200000})
        with self.connect() as sock:
            sock.sendall(b"GET /v1/groups HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertEqual(self.ask("GET", "/v1/groups/g1").status, 200)
            time.sleep(4)
            size = 0
            try:
                while more := sock.recv(1 << 20):
                    size += len(more)
            except ConnectionError:
                pass
            self.assertLess(size, 30 * 200000)  # it was given up

    def test_bad_bodies(self):
        self.start()
        deep = '{"type":"pci","settings":' + "[" * 64 + "]" * 64 + "}"
        revision = self.ask("GET", "/v1/groups").json()["revision"]
        for body, part in (("", "type: is missing"), ("{", "line 1, column 1"), ("[]", "must be an object"),
                           ("\0", "line 1"), ('{"type":"pci"} x', "line 1, column 16"),
                           ('{"type":"pci","colour":1}', "colour: there is no such field (in: group)"),
                           ('{"type":"pci","type":"pci"}', 'duplicate object key near \'"type"\''),
                           ('{"type":7}', "type: must be a text"), (deep, "deeper than 64 levels")):
            answer = self.ask("PUT", "/v1/groups/x", body)
            self.assertEqual(answer.status, 400, body)
            error = answer.json()["error"]
            self.assertEqual(error["code"], "invalid")
            self.assertIn(part, error["message"])
            self.assertNotIn("\n", error["message"])
        self.assertEqual(self.ask("GET", "/v1/groups").json(), {"items": [], "next": None, "revision": revision})
        fits = '{"type":"pci","settings":' + "[" * 63 + "]" * 63 + "}"
        self.assertNotIn("deeper", self.ask("PUT", "/v1/groups/x", fits).body)

    def test_streams_outlive_the_time_limit(self):
        self.start("--request-timeout", "1")
        stream = self.open_stream("/v1/groups?watch=1")
        self.assertTrue(stream.next()["synced"])
        time.sleep(3)
        self.ask("PUT", "/v1/groups/late", {"type": "pci"})
        self.assertEqual(stream.next()["object"]["name"], "late")

    def test_idle_connections_are_used_again(self):
        self.start()
        with self.connect() as sock:
            for _ in range(3):
                sock.sendall(b"GET /v1/groups HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertEqual(read_answer(sock).status, 200)

    def test_large_bodies(self):
        self.start()
        size = 2 * 1024 * 1024
        head = f"PUT /v1/groups/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n"
        for more in ("", "Expect: 100-continue\r\n"):
            with self.connect() as sock:
                sock.sendall(f"{head}{more}\r\n".encode())
                answer = read_answer(sock)  # nothing of the body was sent
                self.assertEqual(answer.status, 413)
                self.assertEqual(answer.json()["error"]["code"], "invalid")
        with self.connect() as sock:
            sock.sendall(b"PUT /v1/groups/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
            chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
            try:
                for _ in range(64):  # never ends
                    sock.sendall(chunk)
            except OSError:
                pass
            self.assertEqual(read_answer(sock).status, 413)
        self.assertEqual(self.ask("GET", "/v1/groups/x").status, 404)
        fits = '{"type":"pci","description":"' + "x" * (200 * 1024) + '"}'
        self.assertEqual(self.ask("PUT", "/v1/groups/x", fits).status, 201)

    def test_chunked_bodies(self):
        self.start()
        with self.connect() as sock:
            sock.sendall(b"PUT /v1/groups/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                         b"8\r\n{\"type\":\r\n6\r\n\"pci\"}\r\n0\r\n\r\n")
            self.assertEqual(read_answer(sock).status, 201)

    def test_head(self):
        self.start()
        with self.connect() as sock:
            sock.sendall(b"HEAD /v1/groups HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            status, headers, rest = read_head(sock)
            self.assertEqual((status, rest, sock.recv(10)), (200, b"", b""))
            self.assertGreater(int(headers["content-length"]), 0)
        with self.connect() as sock:
            sock.sendall(b"HEAD /v1/groups?watch=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            status, headers, rest = read_head(sock)
            self.assertEqual((status, rest, sock.recv(10)), (200, b"", b""))

    def test_garbage(self):
        self.start("--request-timeout", "1")
        for data in (b"\0\0\0\0\r\n\r\n", b"GET\r\n\r\n", b"\r\n" * 50, os.urandom(5000),
                     b"GET " + b"/" * 100000 + b" HTTP/1.1\r\n\r\n"):
            with self.connect() as sock:
                try:
                    sock.sendall(data)
                    sock.shutdown(socket.SHUT_WR)
                    while sock.recv(4096):
                        pass
                except ConnectionError:
                    pass
        self.assertEqual(self.ask("GET", "/v1/groups").status, 200)


class Streams(Bed):
    def put(self, name, status=201):
        self.assertEqual(self.ask("PUT", f"/v1/groups/{name}", {"type": "pci"}).status, status)

    def test_watch_and_resume(self):
        first = self.start()
        self.put("a")
        stream = self.open_stream("/v1/watch?kinds=groups")
        self.assertEqual(stream.next()["object"]["name"], "a")
        self.assertEqual(stream.next(), {"type": "bookmark", "revision": 1, "synced": True})
        self.put("b")
        self.assertEqual(stream.next()["revision"], 2)
        self.ask("DELETE", "/v1/groups/a")
        self.assertEqual(stream.next(), {"type": "delete", "kind": "group", "id": "a", "revision": 3})
        self.assertEqual(self.stop(first), 0)
        with self.assertRaises(EOFError):
            stream.next()
        self.assertFalse(os.path.exists(self.socket))
        self.start()
        self.put("c")
        resumed = self.open_stream("/v1/watch?kinds=groups&since=2")
        self.assertEqual(resumed.next()["id"], "a")
        self.assertEqual(resumed.next()["object"]["name"], "c")
        self.assertTrue(resumed.next()["synced"])

    def test_many_watches(self):
        self.start()
        streams = [self.open_stream("/v1/groups?watch=1") for _ in range(100)]
        for stream in streams:
            self.assertTrue(stream.next()["synced"])
        self.put("a")
        for stream in streams:
            self.assertEqual(stream.next()["object"]["name"], "a")
        for stream in streams:
            stream.sock.close()
        self.put("b")
        self.assertEqual(self.ask("GET", "/v1/groups").status, 200)

    def test_reader_that_does_not_read(self):
        self.start(store=":memory:")
        stream = self.open_stream("/v1/groups?watch=1")
        text = "x" * 4000
        for _ in range(1300):
            self.ask("PUT", "/v1/groups/a", {"type": "pci", "description": text})
        lines = []
        with self.assertRaises(EOFError):
            while True:
                lines.append(stream.next())
        self.assertEqual(lines[-1]["type"], "error")
        self.assertLess(len(lines), 1300)

    def test_sigterm_with_streams(self):
        process = self.start()
        streams = [self.open_stream("/v1/groups?watch=1") for _ in range(5)]
        half = self.connect()
        half.sendall(b"GET /v1")
        self.assertEqual(self.stop(process), 0)
        for stream in streams:
            with self.assertRaises(EOFError):
                while True:
                    stream.next()
        half.close()


class Waits(Bed):
    def setUp(self):
        super().setUp()
        self.process = self.start()
        self.agent = Agent(self)
        self.sock = self.connect()
        self.addCleanup(self.sock.close)
        self.sock.sendall(b"POST /v1/vms/vm1/adopt HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=60\r\n"
                          b"Content-Length: 0\r\n\r\n")
        self.operation = self.agent.operation()

    def test_answered_at_the_end(self):
        self.agent.tell(self.operation, "done")
        answer = read_answer(self.sock)
        self.assertEqual((answer.status, answer.json()["state"]), (200, "done"))
        self.assertEqual(answer.headers["preference-applied"], "wait=60")
        self.assertEqual(answer.headers["location"], f"/v1/operations/{self.operation['id']}")

    def test_sigterm(self):
        self.assertEqual(self.stop(self.process), 0)

    def test_client_goes_away(self):
        self.sock.close()
        self.agent.tell(self.operation, "done")
        self.assertEqual(self.ask("GET", "/v1/vms/vm1").status, 200)


class Life(Bed):
    def test_killed_and_started_again(self):
        process = self.start()
        self.ask("PUT", "/v1/groups/a", {"type": "pci"})
        self.stop(process, signal.SIGKILL)
        self.assertTrue(os.path.exists(self.socket))  # stale
        self.start()
        self.assertEqual(self.ask("GET", "/v1/groups/a").json()["revision"], 1)

    def run_usherd(self, *flags):
        return subprocess.run([f"{BUILD}/usherd", *flags], capture_output=True, text=True, timeout=20)

    def test_one_server_a_socket_and_a_store(self):
        self.start()
        other = self.run_usherd("--store", ":memory:", "--socket", self.socket)
        self.assertEqual(other.returncode, 1)
        self.assertIn("another server answers there", other.stderr)
        other = self.run_usherd("--store", self.store, "--socket", f"{self.dir}/other.sock")
        self.assertEqual(other.returncode, 1)
        self.assertEqual(other.stderr.count("\n"), 1)
        self.assertEqual(self.ask("GET", "/v1/groups").status, 200)

    def test_bad_starts(self):
        for flags, status in ((["--odd"], 2), (["stray"], 2), (["--request-timeout", "0"], 2),
                              (["--socket", "/" + "x" * 200, "--store", ":memory:"], 1),
                              (["--socket", self.dir, "--store", ":memory:"], 1)):
            done = self.run_usherd(*flags)
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertTrue(done.stderr.startswith("usherd: "), done.stderr)
        self.assertTrue(os.path.isdir(self.dir))
        self.assertEqual(self.run_usherd("--help").returncode, 0)
        self.assertTrue(self.run_usherd("--version").stdout.startswith("usherd "))

    def test_ready(self):
        path = f"{self.dir}/notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            notify.settimeout(10)
            process = self.start(env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "300000"})
            self.assertEqual(notify.recv(100), b"READY=1")
            self.assertEqual(notify.recv(100), b"WATCHDOG=1")
            self.stop(process)
            until(lambda: notify.recv(100) == b"STOPPING=1")


if __name__ == "__main__":
    unittest.main(verbosity=1)
