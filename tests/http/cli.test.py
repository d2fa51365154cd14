#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The CLI against a real usherd, and without one."""
import csv
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time
import unittest

from bed import BUILD, Agent, Bed, until


def read_terminal(leader):
    """All of it: a terminal whose other end is closed fails to be read."""
    text = b""
    try:
        while more := os.read(leader, 4096):
            text += more
    except OSError:
        pass
    os.close(leader)
    return text


def environment(**more):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("USHER_")}
    return {**clean, **more}


def make_machine(root):
    """A host with one function, 0000:00:02.0."""
    place = "sys/devices/pci0000:00/0000:00:02.0"
    os.makedirs(f"{root}/{place}")
    os.makedirs(f"{root}/sys/bus/pci/devices")
    os.symlink(f"../../../../{place}", f"{root}/sys/bus/pci/devices/0000:00:02.0")
    for name, text in (("vendor", "0x8086"), ("device", "0x1904"), ("class", "0x060000")):
        with open(f"{root}/{place}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    return root


class Alone(Bed):
    """Without usherd."""

    def run_usher(self, *words, status=0, **keywords):
        done = subprocess.run([f"{BUILD}/usher", *words], capture_output=True, text=True, timeout=30,
                              env=environment(**keywords))
        self.assertEqual(done.returncode, status, f"{words}: {done.stdout}{done.stderr}")
        return done

    def test_devices(self):
        devices = json.loads(self.run_usher("device", "list", "--json", USHER_SERVER=self.socket).stdout)
        self.assertIsInstance(devices, list)
        for device in devices:
            self.assertIsNone(device["id"])
            self.assertIn(device["guard"]["verdict"], ("free", "refused", "unknown"))
        table = self.run_usher("device", "list", USHER_SERVER=self.socket).stdout
        self.assertEqual(table.split()[:7], "ADDRESS NAME DRIVER GROUP IOMMU STATE WHY".split())
        self.assertEqual(table.count("\n"), len(devices) + 1)
        self.assertEqual(json.loads(self.run_usher("device", "list", "--root", self.dir, "--json").stdout), [])
        self.assertEqual(json.loads(self.run_usher("device", "list", "--json", USHER_ROOT=self.dir).stdout), [])

    def test_device_lists(self):
        def lines(*words):
            done = self.run_usher("device", "list", *words, USHER_SERVER=self.socket)
            return done.stdout.splitlines()
        devices = json.loads("\n".join(lines("--json")))
        addresses = [device["address"] for device in devices]
        self.assertEqual(lines("-o", "name"), addresses)
        self.assertEqual(lines("--columns", "address", "--no-headers"), addresses)
        self.assertEqual(lines("--columns", "address", "--no-headers", "--sort", "-address"), addresses[::-1])
        table = list(csv.DictReader(lines("-o", "csv")))
        self.assertEqual([row["address"] for row in table], addresses)
        self.assertEqual([row["name"] for row in table], [device["device"] for device in devices])
        free = lines("--free", "-o", "name")
        for device in devices:
            is_free = device["guard"]["verdict"] == "free" and not device["foreign"]
            self.assertEqual(device["address"] in free, is_free)
        by_driver = f"driver eq '{devices[0]['driver'] or ''}'"
        self.assertIn(addresses[0], lines("--filter", by_driver, "-o", "name"))
        for grouping in ("iommu", "node", "model", "group"):
            grouped = lines("--group-by", grouping, "--columns", "address", "--no-headers")
            self.assertEqual(sorted(set(addresses) & set(grouped)), sorted(addresses))
            self.assertTrue(grouped[0].endswith(":"))
        for words in (["--columns", "no-such"], ["--sort", "no-such"], ["--group-by", "x"], ["--filter", "x"]):
            status = 1 if words[0] == "--filter" else 2
            self.run_usher("device", "list", *words, status=status)
        self.assertIn("note: /sys/bus/pci/devices could not be read",
                      self.run_usher("device", "list", "--verbose", "--root", self.dir).stderr)

    def test_device_list_fits(self):
        leader, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 70, 0, 0))
        root = make_machine(f"{self.dir}/machine")
        done = subprocess.Popen([f"{BUILD}/usher", "device", "list", "--root", root], stdout=terminal,
                                stdin=subprocess.DEVNULL, env=environment(LC_ALL="C.UTF-8"))
        os.close(terminal)
        shown = read_terminal(leader).decode()
        self.assertEqual(done.wait(30), 0)
        whole = self.run_usher("device", "list", "--root", root, "-o", "wide").stdout
        self.assertIn("0000:00:02.0", shown)
        for line in shown.splitlines():
            self.assertLessEqual(len(line), 70)
        name = json.loads(self.run_usher("device", "list", "--root", root, "--json").stdout)[0]["device"]
        self.assertIn(name, whole)

    def test_device_looks(self):
        devices = json.loads(self.run_usher("device", "list", "--json", USHER_SERVER=self.socket).stdout)
        for device in devices[:4]:
            address = device["address"]
            page = self.run_usher("device", "show", address, USHER_SERVER=self.socket).stdout
            self.assertEqual(page.splitlines()[0], f"{address}  {device['device']}")
            for reason in device["guard"]["reasons"]:
                self.assertIn(f"{reason['why']}: {' → '.join(reason['proof'])}", page)
            shown = json.loads(self.run_usher("device", "show", address, "--json", USHER_SERVER=self.socket).stdout)
            self.assertEqual({key: shown[key] for key in device}, device)
            self.assertIn("holders", shown)
            self.explain(address, device)

    def explain(self, address, device):
        done = subprocess.run([f"{BUILD}/usher", "device", "explain", address, "--json"], capture_output=True,
                              text=True, timeout=30, env=environment(USHER_SERVER=self.socket))
        answer = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0 if answer["may"] else 1)
        self.assertEqual(answer["may"], not answer["against"])
        if answer["against"]:
            self.assertEqual(done.stderr, f"usher: device {address} can't be given: {answer['against'][0]}\n")
        for reason in device["guard"]["reasons"]:
            self.assertTrue(any(reason["why"] in line for line in answer["against"]), (reason, answer))

    def test_no_such_device(self):
        for verb in ("show", "explain", "users"):
            done = self.run_usher("device", verb, "ffff:00:00.0", status=1)
            self.assertEqual(done.stderr, "usher: there is no device ffff:00:00.0 on this host\n")
        for verb in ("explain", "users"):
            self.assertIn("is no address", self.run_usher("device", verb, "x", status=1).stderr)

    def test_users(self):
        root = f"{self.dir}/machine"
        for folder in ("proc/9/fd", "sys/class/drm", "sys/bus/pci/devices", "sys/devices/pci0000:00/0000:00:02.0"):
            os.makedirs(f"{root}/{folder}")
        place = "../../devices/pci0000:00/0000:00:02.0"
        os.symlink("/dev/dri/card0", f"{root}/proc/9/fd/3")
        os.symlink(f"{place}/drm/card0", f"{root}/sys/class/drm/card0")
        os.symlink(f"../{place}", f"{root}/sys/bus/pci/devices/0000:00:02.0")
        for name, text in (("proc/9/comm", "Xorg"), ("proc/9/cmdline", "/usr/bin/X\0"),
                           ("proc/9/cgroup", "0::/system.slice/gdm.service")):
            with open(f"{root}/{name}", "w", encoding="utf-8") as file:
                file.write(text)
        for words in ([], ["0000:00:02.0"]):
            done = self.run_usher("device", "users", *words, "--root", root, "--json")
            self.assertEqual(json.loads(done.stdout), [{
                "address": "0000:00:02.0", "controller": None, "pid": 9, "name": "Xorg", "unit": "gdm.service",
                "domain": None, "paths": ["/dev/dri/card0"]}])
        self.assertEqual(self.run_usher("device", "users", "--root", root, "-o", "name").stdout, "9\n")
        self.run_usher("device", "users", "--root", self.dir, "--json")

    def test_one_sentence(self):
        done = self.run_usher("vm", "list", status=1, USHER_SERVER=self.socket)
        self.assertEqual(done.stdout, "")
        self.assertEqual(done.stderr,
                         f"usher: no usherd answers at {self.socket}: No such file or directory\n")
        done = self.run_usher("vm", "list", "--json", status=1, USHER_SERVER=self.socket)
        self.assertEqual(json.loads(done.stdout)["error"]["code"], "unavailable")
        done = self.run_usher("vm", "start", "--json", status=2)
        self.assertEqual(json.loads(done.stdout)["error"]["code"], "invalid")

    def test_root(self):
        done = self.run_usher("vm", "start", "x", "--root", self.dir, status=1)
        self.assertIn("takes no --root", done.stderr)
        self.run_usher("device", "list", "--all-nodes", "--root", self.dir, status=1)
        self.run_usher("device", "list", "--root", f"{self.dir}/none", status=1)

    def test_rule_check(self):
        self.run_usher("rule", "check", "vendor ct 'Intel'")
        done = self.run_usher("rule", "check", "vendor tc 'Intel'", status=1)
        self.assertIn("column 8", done.stderr)

    def test_help(self):
        text = self.run_usher("help").stdout
        with open(f"{os.path.dirname(__file__)}/../../doc/man/usher.1.scd", encoding="utf-8") as file:
            manual = file.read()
        for noun in ("device", "group", "rule", "vm", "lease", "node", "operation", "event"):
            self.assertIn(f"usher {noun} list", text)
        for line in text.splitlines():
            if match := re.match(r"  usher ([a-z]+)(?: ([a-z-]+)(?= ))?", line):
                words = [word for word in match.groups() if word]
                self.assertIn("usage: usher", self.run_usher(*words, "--help").stdout)
                self.assertIn("usage: usher", self.run_usher("help", *words).stdout)
                self.assertIn(f"*usher {' '.join(words)}*", manual)
        self.assertEqual(self.run_usher("help", "vm").stdout, self.run_usher("vm", "--help").stdout)
        self.run_usher("help", "vmm", status=2)

    def test_usage(self):
        for words in (["vmm"], ["vm"], ["vm", "strat"], ["vm", "start"], ["vm", "start", "a", "b"],
                      ["vm", "stop", "a", "--force", "--timeout", "3"], ["vm", "detach", "a"],
                      ["group", "create", "a"], ["device", "list", "--type", "gpu"], ["-o", "xml"]):
            done = self.run_usher(*words, status=2, USHER_SERVER=self.socket)
            self.assertTrue(done.stderr.startswith("usher: "))
            self.assertEqual(done.stderr.count("\n"), 1)

    def test_status(self):
        self.assertIn("next:", self.run_usher(USHER_SERVER=self.socket).stdout)
        self.assertEqual(self.run_usher("version").stdout, f"usher {self.version()}\n")

    def version(self):
        return json.loads(self.run_usher("version", "--json").stdout)["version"]

    def test_completion(self):
        def complete(*words):
            return self.run_usher("__complete", *words, USHER_SERVER=self.socket).stdout.split()
        self.assertIn("device", complete(""))
        self.assertEqual(complete("dev"), ["device"])
        self.assertEqual(complete("vm", "st"), ["start", "stop"])
        self.assertIn("--force", complete("vm", "stop", "x", "--"))
        self.assertNotIn("--watch", complete("vm", "stop", "x", "--"))
        self.assertEqual(complete("group", "create", "--type", "s"), ["sriov-nic"])
        self.assertEqual(complete("-o", "w"), ["wide"])
        self.assertEqual(complete("device", "list", "--type", "st"), ["storage"])
        self.assertEqual(complete("device", "list", "--type", "usb,ne"), ["usb,network"])
        self.assertEqual(complete("device", "list", "--columns", "address,io"), ["address,iommu"])
        self.assertEqual(complete("device", "list", "--sort", "-dr"), ["-driver"])
        self.assertEqual(complete("device", "list", "--group-by", "i"), ["iommu"])
        self.assertEqual(complete("vm", "start", ""), [])
        for shell in ("bash", "zsh", "fish"):
            self.assertIn("__complete", self.run_usher("completion", shell).stdout)
        self.run_usher("completion", "csh", status=2)
        script = f"{self.dir}/completion"
        with open(script, "w", encoding="utf-8") as file:
            file.write(self.run_usher("completion", "bash").stdout)
        bash = f'. {script}; PATH={BUILD}:$PATH; COMP_WORDS=(usher vm sta); COMP_CWORD=2; _usher; echo "${{COMPREPLY[@]}}"'
        done = subprocess.run(["bash", "-c", bash], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.stdout, "start\n")

    def test_full_disk(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([f"{BUILD}/usher", "help"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1)


class Objects(Bed):
    def test_rule_explain(self):
        root = make_machine(f"{self.dir}/machine")
        device = ["rule", "explain", "0000:00:02.0", "--root", root]
        fails = "vendor_device_hex eq '10de:2235': its vendor_device_hex is '8086:1904'"
        self.assertEqual(self.cli(*device, "--filter", "vendor_device_hex eq '10de:2235'").stdout,
                         f"no\n  - {fails}\n")
        self.assertEqual(self.cli(*device, "--filter", "class_hex bw '06'").stdout, "matches\n")
        self.assertIn("line 1, column 7", self.cli(*device, "--filter", "class is '06'", status=1).stderr)
        self.cli("rule", "explain", "0000:00:03.0", "--root", root, "--filter", "class_hex bw '06'", status=1)
        self.start()
        self.assertEqual(self.cli(*device).stdout, "there are no rules\n")
        self.cli("group", "create", "gpus", "--type", "pci")
        self.cli("rule", "create", "a40", "--group", "gpus", "--filter", "vendor_device_hex eq '10de:2235'")
        self.cli("rule", "create", "bridges", "--group", "gpus", "--filter", "class_hex bw '06'")
        self.assertEqual(self.cli(*device).stdout, f"rule/a40, of group/gpus: no\n  - {fails}\n"
                         "rule/bridges, of group/gpus: matches\n")
        self.assertEqual(self.cli_json(*device), [
            {"rule": "a40", "group": "gpus", "matches": False, "reasons": [fails]},
            {"rule": "bridges", "group": "gpus", "matches": True, "reasons": []}])

    def test_groups_and_rules(self):
        self.start()
        self.assertEqual(self.cli("group", "create", "nics", "--type", "pci").stdout, "group/nics created\n")
        done = self.cli("group", "create", "nics", "--type", "pci", status=1)
        self.assertEqual(done.stderr, "usher: group 'nics' exists already\n")
        group = self.cli_json("group", "update", "nics", "--return", "hold", "--priority", "7")
        self.assertEqual((group["return"], group["priority"], group["type"]), ("hold", 7, "pci"))
        group = self.cli_json("group", "update", "nics", "--return", "by-class", "--disable")
        self.assertEqual((group["return"], group["priority"], group["enabled"]), (None, 7, False))
        self.assertEqual(self.cli("group", "list", "-o", "name").stdout, "nics\n")
        self.assertEqual(self.cli_json("group", "show", "nics"), self.cli_json("group", "list")[0])
        self.assertIn("priority: 7", self.cli("group", "show", "nics").stdout)
        self.cli("rule", "create", "r", "--group", "nics", "--filter", "name eq 'x'", "-q")
        self.cli("rule", "create", "s", "--group", "nics", "--filter", "name is 'x'", status=1)
        rule = self.cli_json("rule", "update", "r", "--node", "n1")
        self.assertEqual((rule["node"], rule["filter"]), ("n1", "name eq 'x'"))
        self.assertEqual(self.cli_json("rule", "delete", "r")["name"], "r")
        self.assertEqual(self.cli("group", "delete", "nics", "--dry-run").stdout, "delete group/nics\n")
        self.assertEqual(self.cli("group", "delete", "nics").stdout, "group/nics deleted\n")
        error = self.cli_json("group", "show", "nics", status=1)["error"]
        self.assertEqual(error["code"], "not-found")
        table = self.cli("event", "list", "--no-headers").stdout
        self.assertIn("group/nics", table)
        self.assertNotIn("MESSAGE", table)

    def test_does_not_wait_for_usherd(self):
        process = self.start()
        process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        self.assertIsInstance(self.cli_json("device", "list"), list)
        self.assertLess(time.monotonic() - began, 2)
        process.send_signal(signal.SIGCONT)

    def test_api(self):
        self.start()
        self.cli("api", "PUT", "/v1/groups/g", "-d", '{"type":"usb"}')
        self.assertEqual(json.loads(self.cli("api", "get", "/v1/groups/g").stdout)["type"], "usb")
        with open(f"{self.dir}/body", "w", encoding="utf-8") as file:
            file.write('{"type":"pci"}')
        self.cli("api", "PUT", "/v1/groups/g", "-d", f"@{self.dir}/body")
        self.assertIn("nothing at", self.cli("api", "GET", "/v1/x", status=1).stderr)
        self.cli("api", "GET", "v1", status=2)

    def test_pages(self):
        self.start(store=":memory:")
        for i in range(30):
            self.ask("PUT", f"/v1/groups/g{i:02}", {"type": "pci"})
        self.assertEqual(len(self.cli_json("group", "list")), 30)

    def test_watch(self):
        first = self.start()
        self.cli("group", "create", "a", "--type", "pci")
        events = self.spawn(*self.command("event", "list", "-w", "--json"), stdout=subprocess.PIPE, text=True)
        self.assertEqual(json.loads(events.stdout.readline())["object"], "group/a")
        table = self.spawn(*self.command("group", "list", "-w"), stdout=subprocess.PIPE, text=True)
        self.assertTrue(table.stdout.readline().startswith("NAME"))
        self.assertTrue(table.stdout.readline().startswith("a "))
        self.stop(first, signal.SIGKILL)
        self.start()
        self.cli("group", "create", "b", "--type", "pci")
        self.assertEqual(json.loads(events.stdout.readline())["object"], "group/b")
        self.assertTrue(table.stdout.readline().startswith("b "))
        self.cli("group", "delete", "b")
        self.assertEqual(table.stdout.readline(), "group/b is gone\n")

    def test_devices(self):
        self.start()
        Agent(self)
        devices = self.cli_json("device", "list", "--all-nodes")
        self.assertEqual([device["address"] for device in devices], ["0000:01:00.0"])
        self.assertEqual(self.cli_json("device", "list", "--node", "n2"), [])
        self.assertEqual(self.cli_json("device", "list", "--all-nodes", "--type", "display"), [])
        self.assertEqual(self.cli_json("device", "show", "n1/0000:01:00.0"), devices[0])
        self.assertEqual(self.cli_json("device", "show", devices[0]["id"]), devices[0])
        shown = self.cli("device", "make-resource", "0000:01:00.0", "--group", "nics", "--type", "pci", "--dry-run")
        self.assertIn("matches n1/0000:01:00.0", shown.stdout)
        self.assertEqual(self.cli_json("group", "list"), [])
        self.cli("device", "make-resource", "0000:01:00.0", "--group", "nics", "--type", "pci")
        self.assertEqual(self.cli_json("group", "show", "nics")["status"]["members"], 1)
        self.assertEqual(self.cli_json("device", "list", "--all-nodes")[0]["groups"], ["nics"])
        done = self.cli("device", "return", "0000:02:00.0", status=1)
        self.assertEqual(done.stderr, "usher: there is no device 0000:02:00.0\n")
        self.assertEqual(self.cli_json("node", "list")[0]["status"]["state"], "ready")


class Refusals(Bed):
    """One line that names the object, and nothing is changed."""

    def setUp(self):
        super().setUp()
        self.start()
        self.agent = Agent(self, guests=("vm1", "vm2"))
        for name in ("vm1", "vm2"):
            operation = self.ask("POST", f"/v1/vms/{name}/adopt").json()["id"]
            self.agent.tell(self.agent.operation(), "done")
            self.assertEqual(self.cli_json("op", "show", operation)["state"], "done")
        self.cli("group", "create", "nics", "--type", "pci")
        self.cli("group", "create", "empty", "--type", "pci")
        self.cli("device", "make-resource", "0000:01:00.0", "--group", "nics")

    def refuses(self, sentence, *words):
        revision = self.ask("GET", "/v1/groups").json()["revision"]
        told = self.cli(*words, status=1).stderr
        self.assertIn(sentence, told)
        self.assertTrue(told.startswith("usher: "), told)
        self.assertEqual(told.count("\n"), 1, told)
        self.assertEqual(self.ask("GET", "/v1/groups").json()["revision"], revision)

    def test_unknown(self):
        for noun, verbs in (("group", ["show", "delete"]), ("rule", ["show", "delete"]),
                            ("vm", ["show", "start", "stop", "forget"]),
                            ("operation", ["show", "follow", "cancel"]), ("lease", ["show"]), ("node", ["show"])):
            for verb in verbs:
                self.refuses(f"there is no {noun} 'none'", noun, verb, "none")
        self.refuses("there is no domain 'none'", "vm", "adopt", "none")
        self.refuses("there is no domain 'vm3' on node none", "vm", "adopt", "vm3", "--node", "none")
        self.refuses("there is no group 'none'", "group", "update", "none", "--disable")
        self.refuses("there is no rule 'none'", "rule", "update", "none", "--disable")
        self.refuses("there is no group 'none'", "rule", "create", "r", "--group", "none", "--filter", "name eq 'x'")
        self.refuses("there is no group 'none'", "vm", "attach", "vm1", "--group", "none")
        self.refuses("there is no vm 'none'", "vm", "attach", "none", "--group", "nics")
        self.refuses("there is no vm 'none'", "vm", "detach", "none", "--group", "nics")
        self.refuses("group none", "vm", "detach", "vm1", "--group", "none")

    def test_addresses(self):
        self.refuses("there is no device 0000:99:00.0", "device", "make-resource", "0000:99:00.0", "--group", "nics")
        self.refuses("there is no device 'n1/0000:99:00.0'", "device", "return", "n1/0000:99:00.0")
        self.refuses("nonsense", "device", "make-resource", "nonsense", "--group", "nics")
        self.refuses("0000:01:00.9", "device", "make-resource", "0000:01:00.9", "--group", "nics")
        self.refuses("there is no group 'none'", "device", "make-resource", "0000:01:00.0", "--group", "none")

    def test_nothing_matches(self):
        self.cli("rule", "create", "nothing", "--group", "empty", "--filter", "vendor_device_hex eq 'ffff:0000'")
        self.assertEqual(self.cli_json("rule", "show", "nothing")["status"]["matches"], 0)
        self.cli("vm", "attach", "vm1", "--group", "empty")
        self.refuses("group empty has no members on this node", "vm", "start", "vm1")

    def test_in_use(self):
        for name in ("vm1", "vm2"):
            self.cli("vm", "attach", name, "--group", "nics")
        self.cli("vm", "start", "vm1", "--no-wait")
        self.refuses("0000:01:00.0", "vm", "start", "vm2")
        lease = self.cli_json("lease", "list")
        self.assertEqual([each["guest"]["name"] for each in lease], ["vm1"])


class Steps(Bed):
    """Operations, with a test in the place of the agent."""

    def setUp(self):
        super().setUp()
        self.start()
        self.agent = Agent(self)

    def begin(self, *words):
        return self.spawn(*self.command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self, process, status):
        out, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, status, out + err)
        return out, err

    def adopt(self):
        process = self.begin("vm", "adopt", "vm1")
        self.agent.tell(self.agent.operation(), "done")
        return self.end(process, 0)

    def test_done(self):
        self.assertEqual(self.adopt(), ("vm/vm1 adopted\n", ""))
        self.assertEqual(self.cli_json("vm", "show", "vm1")["status"]["state"], "shut-off")
        self.assertEqual(self.cli("vm", "list", "-o", "name").stdout, "vm1\n")
        self.assertEqual(self.cli_json("operation", "list"), [])
        done = self.cli_json("operation", "list", "--all")
        self.assertEqual([operation["state"] for operation in done], ["done"])
        process = self.begin("vm", "forget", "vm1", "--json")
        self.agent.tell(self.agent.operation(), "done")
        self.assertEqual(json.loads(self.end(process, 0)[0])["name"], "vm1")
        self.assertEqual(self.cli_json("vm", "list"), [])

    def test_failed(self):
        process = self.begin("vm", "adopt", "vm1")
        error = {"code": "host", "message": "vm vm1: libvirtd said no", "object": "vm/vm1"}
        self.agent.tell(self.agent.operation(), "failed", error=error)
        self.assertEqual(self.end(process, 1), ("", "usher: vm vm1: libvirtd said no\n"))
        process = self.begin("vm", "adopt", "vm1", "--json")
        self.agent.tell(self.agent.operation(), "failed", error=error)
        self.assertEqual(json.loads(self.end(process, 1)[0])["error"]["code"], "host")

    def test_requests(self):
        self.adopt()
        self.cli("group", "create", "nics", "--type", "pci")
        vm = self.cli_json("vm", "attach", "vm1", "--group", "nics", "--count", "2", "--optional",
                           "--option", "mac=52:54:00:00:00:01", "--option", "vlan=7")
        request = vm["requests"][0]
        self.assertEqual((request["count"], request["required"]), (2, False))
        self.assertEqual(request["options"], {"mac": "52:54:00:00:00:01", "vlan": 7})
        self.cli("vm", "attach", "vm1", "--group", "nics", "--option", "mac", status=2)
        self.assertIn("now", self.cli("vm", "attach", "vm1", "--group", "nics", "--now", status=1).stderr)
        self.assertIn("nics:2?", self.cli("vm", "list").stdout)
        self.assertIn("requested by vm1", self.cli("group", "delete", "nics", status=1).stderr)
        vm = self.cli_json("vm", "detach", "vm1", "--request", request["id"])
        self.assertEqual(vm["requests"], [])

    def test_no_wait(self):
        name = self.cli("vm", "adopt", "vm1", "--no-wait").stdout.strip()
        self.assertTrue(name.startswith("op-"))
        self.assertIn("adopt", self.cli("vm", "adopt", "vm1", status=1).stderr)
        follower = self.begin("op", "follow", name)
        self.agent.tell(self.agent.operation(), "done")
        self.assertEqual(self.end(follower, 0)[0], f"operation/{name} done\n")
        self.assertEqual(self.cli_json("op", "show", name)["state"], "done")

    def test_dry_run(self):
        plan = self.cli_json("vm", "adopt", "vm1", "--dry-run")
        self.assertEqual(plan["state"], "proposed")
        self.cli("vm", "adopt", "vm1", "--dry-run")
        self.assertEqual(self.cli_json("vm", "list"), [])
        self.assertEqual(self.cli_json("op", "list", "--all"), [])

    def test_usherd_is_killed_meanwhile(self):
        process = self.begin("vm", "adopt", "vm1")
        self.agent.operation()
        self.processes[0].kill()
        self.processes[0].wait()
        time.sleep(0.5)
        self.start()
        self.agent.tell(self.agent.operation(), "done")
        self.assertEqual(self.end(process, 0)[0], "vm/vm1 adopted\n")

    def test_ctrl_c(self):
        process = self.begin("vm", "adopt", "vm1")
        operation = self.agent.operation()
        self.agent.tell(operation, "running", ("mark vm1", "running"))
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        until(lambda: self.agent.operation()["cancel"])
        self.agent.tell(operation, "undone", ("mark vm1", "undone"))
        out, err = self.end(process, 1)
        self.assertEqual(out, "")
        self.assertTrue(err.startswith("usher: "))
        self.assertEqual(self.cli_json("vm", "list"), [])

    def test_ctrl_c_twice(self):
        process = self.begin("vm", "adopt", "vm1")
        operation = self.agent.operation()
        self.agent.tell(operation, "running", ("mark vm1", "running"))
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        until(lambda: self.agent.operation()["cancel"])
        process.send_signal(signal.SIGINT)
        self.assertIn("left to itself", self.end(process, 1)[1])

    def test_steps_on_a_terminal(self):
        master, slave = pty.openpty()
        process = self.spawn(*self.command("vm", "adopt", "vm1"), stdout=subprocess.PIPE, stderr=slave, text=True)
        os.close(slave)
        operation = self.agent.operation()
        self.agent.tell(operation, "running", ("mark vm1", "done"), ("look again", "running"))
        self.agent.tell(operation, "done", ("mark vm1", "done"), ("look again", "done"))
        self.assertEqual(process.wait(10), 0)
        text = ""
        try:
            while more := os.read(master, 4096):
                text += more.decode()
        except OSError:  # the other end is closed
            pass
        os.close(master)
        self.assertEqual(text.split("\r\n"), ["  mark vm1", "  look again", ""])


if __name__ == "__main__":
    unittest.main(verbosity=1)
