#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usher-agent with a real usherd. It looks at an empty host and has no hypervisor."""
import os
import signal
import socket
import subprocess
import time
import unittest

from bed import BUILD, NOBODY, Bed, until


class AgentProcess(Bed):
    def setUp(self):
        super().setUp()
        self.state = f"{self.dir}/agent"
        self.host = f"{self.dir}/host"
        os.mkdir(self.host)

    def flags(self, user=None):
        return [f"{BUILD}/usher-agent", "--server", self.socket, "--state", self.state, "--node", "n1",
                "--root", self.host, "--server-user", str(os.getuid()) if user is None else user]

    def start_agent(self, *flags, user=None, env=None):
        return self.spawn(*self.flags(user), *flags, stderr=subprocess.PIPE, text=True,
                          env={**os.environ, **(env or {})})

    def run_agent(self, *flags):
        return subprocess.run([*self.flags(), *flags], capture_output=True, text=True, timeout=20)

    def node_state(self):
        answer = self.ask("GET", "/v1/nodes/n1")
        return answer.json()["status"]["state"] if answer.status == 200 else None

    def test_joins(self):
        self.start()
        agent = self.start_agent()
        until(lambda: self.node_state() == "ready")
        self.assertEqual(self.stop(agent), 0)

    def test_ready(self):
        self.start()
        path = f"{self.dir}/notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            notify.settimeout(10)
            self.start_agent(env={"NOTIFY_SOCKET": path})
            until(lambda: notify.recv(100) == b"READY=1")

    def test_sees_usherd_come_at_once(self):
        agent = self.start_agent()
        time.sleep(4)  # its tries are seconds apart by now
        self.assertIsNone(agent.poll())
        first = self.start()
        until(lambda: self.node_state() == "ready", 1.5)
        self.stop(first, signal.SIGKILL)
        time.sleep(1)
        self.start()
        until(lambda: self.node_state() == "ready", 5)
        self.assertIsNone(agent.poll())

    @unittest.skipIf(os.getuid() != 0, "needs root")
    def test_refuses_another_users_server(self):
        self.start()
        agent = self.start_agent(user="nobody")
        time.sleep(1.5)
        self.assertIsNone(self.node_state())
        self.stop(agent)
        self.assertIn(f"the server at {self.socket} runs as uid 0, not {NOBODY}", agent.stderr.read())

    @unittest.skipIf(os.getuid() != 0, "needs root")
    def test_server_of_a_user(self):
        os.chmod(self.dir, 0o777)
        self.spawn("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups",
                   f"{BUILD}/usherd", "--socket", self.socket, "--store", self.store, stderr=subprocess.DEVNULL)
        until(self.answers)
        self.start_agent(user="nobody")
        until(lambda: self.node_state() == "ready")

    def test_one_agent_a_state(self):
        self.start()
        first = self.start_agent()
        until(lambda: self.node_state() == "ready")
        done = self.run_agent()
        self.assertEqual(done.returncode, 1)
        self.assertIn("another usher-agent runs", done.stderr)
        with open(f"{self.state}/instance", encoding="ascii") as file:
            instance = file.read()
        self.stop(first, signal.SIGKILL)
        second = self.start_agent()
        time.sleep(0.5)
        self.assertIsNone(second.poll())
        self.stop(second)
        with open(f"{self.state}/instance", encoding="ascii") as file:
            self.assertEqual(file.read(), instance)
        self.assertEqual(os.stat(self.state).st_mode & 0o777, 0o700)
        with open(f"{self.state}/instance", "w", encoding="ascii") as file:
            file.write("x")
        done = self.run_agent()
        self.assertEqual(done.returncode, 1)
        self.assertIn("damaged", done.stderr)

    def test_one_agent_a_node(self):
        self.start()
        first = self.start_agent()
        until(lambda: self.node_state() == "ready")
        second = self.start_agent("--state", f"{self.dir}/second")
        told = until(second.stderr.readline)
        while "control plane" not in told:
            told = until(second.stderr.readline)
        self.assertIn("node n1 is another agent of this machine, and it lives (machine-id ", told)
        self.assertEqual(self.node_state(), "ready")
        before = self.ask("GET", "/v1/nodes/n1").json()["revision"]
        self.stop(first, signal.SIGKILL)
        again = self.start_agent()  # before its session has run out
        until(lambda: self.ask("GET", "/v1/nodes/n1").json()["revision"] > before)
        self.assertIsNone(again.poll())
        self.assertIsNone(second.poll())

    def test_bad_starts(self):
        for flags in (["--odd"], ["stray"], ["--node", "N1"], ["--server-user", "no-such-user"]):
            done = self.run_agent(*flags)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertTrue(done.stderr.startswith("usher-agent: "), done.stderr)
        self.assertTrue(self.run_agent("--version").stdout.startswith("usher-agent "))
        self.assertEqual(self.run_agent("--root", f"{self.dir}/none").returncode, 1)


if __name__ == "__main__":
    unittest.main(verbosity=1)
