# SPDX-License-Identifier: Apache-2.0
"""A lab machine from its boot to its end, and the commands that run in it."""

import os
import signal
import socket
import time

import wire
from kit import HERE, KitError, find_or_build, say
from machine import Machine, kvm_works, prepare_disk

NO_MACHINE = 125  # as env(1) and its kind: no code of the command's
BOOT_SECONDS = 180
ENDING_SECONDS = 15


class Timeout(Exception):
    """The time that the caller gave is over."""


class Ended(Exception):
    def __init__(self, number):
        super().__init__(number)
        self.number = number


def end_on_signals():
    def end(number, _):
        raise Ended(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)


class Session:
    def __init__(self, options, folder, repo):
        kit = find_or_build()
        if options.disk:
            prepare_disk(options.disk)
        self.up = options.up
        self.started = time.monotonic()
        self.deadline = self.started + options.timeout if options.timeout else None
        with_kvm = kvm_works(kit)
        self.known = kit.libvirt_knowledge(with_kvm)
        self.machine = Machine(kit, options, folder, with_kvm, {
            "LAB_REPO": str(repo), "LAB_CWD": os.getcwd(), "LAB_HOSTNAME": "lab",
            "LAB_BASE": str(kit.base), "LAB_LIBVIRT": str(self.known),
            "LAB_GUEST_KERNEL": str(kit.kernel), "LAB_GUEST_INITRD": str(kit.guest_initrd),
            "LAB_DISK": "yes" if options.disk else "", "LAB_UP": "yes" if options.up else "",
            "LAB_NOT_ROOT": "yes" if os.geteuid() else "",
        })
        self.exchange = wire.Exchange(self.machine.port)
        say("a machine with KVM" if with_kvm
            else "an emulated machine: KVM isn't there or doesn't work")

        self.child = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.machine.kill()
        self.exchange.close()
        if self.child:
            os.waitpid(self.child, 0)  # it may have a terminal to put in order

    def boot(self):
        latest = self.started + BOOT_SECONDS
        while self.exchange.uptime is None:
            if time.monotonic() > latest:
                raise KitError(f"the machine wasn't up after {BOOT_SECONDS} s"
                               + self.machine.last_words())
            self._turn(latest)
        if self.up:
            self._await_services()

    def _await_services(self):
        inside = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        if self.run([str(HERE / "up"), "--wait"], "/", inside, os.devnull) != 0:
            raise KitError("the services in the machine didn't get ready")
        if not self.known.exists():
            beside = self.known.with_suffix(f".{os.getpid()}")
            tar = ["tar", "-C", "/var/cache/libvirt/qemu/capabilities", "-cf", "-", "."]
            if self.run(tar, "/", inside, os.devnull, str(beside)) == 0:
                beside.rename(self.known)

    def run(self, argv, cwd, env, stdin=None, stdout=None):
        """One command with our standard streams; returns its exit code."""
        ours, its = socket.socketpair()
        self.child = os.fork()
        if self.child == 0:
            ours.close()
            self.exchange.close()
            lend_streams(its, argv, cwd, env, stdin, stdout)
        its.close()
        channel = self.exchange.join(ours)
        while channel in self.exchange.peers:
            self._turn()
        _, status = os.waitpid(self.child, 0)
        self.child = None
        return os.waitstatus_to_exitcode(status) % 256

    def serve(self, path):
        """Takes commands at path until someone gives an order to end."""
        self.exchange.listen(path)
        while not self.exchange.orders:
            self._turn()
        if self.exchange.orders[0] == "stop":
            self.power_off()

    def power_off(self):
        """Flushes the disk, if there is one to flush."""
        if not self.machine.has_disk:
            return
        self.exchange.tell(b"P")
        latest = time.monotonic() + ENDING_SECONDS
        while time.monotonic() < latest:
            try:
                self.exchange.turn(latest - time.monotonic())
            except ConnectionError:
                return
        raise KitError(f"the machine didn't go off within {ENDING_SECONDS} s")

    def _turn(self, latest=None):
        ends = [end for end in (latest, self.deadline) if end]
        left = max(0, min(ends) - time.monotonic()) if ends else None
        if left == 0 and self.deadline and time.monotonic() > self.deadline:
            raise Timeout
        try:
            self.exchange.turn(left)
        except ConnectionError:
            raise KitError(f"the machine went away: {self.machine.how_it_ended()}"
                           + self.machine.last_words()) from None


def lend_streams(sock, argv, cwd, env, stdin, stdout):
    """The child's life: never returns."""
    code = None
    try:
        if stdin:
            os.dup2(os.open(stdin, os.O_RDONLY), 0)
        if stdout:
            os.dup2(os.open(stdout, os.O_WRONLY | os.O_CREAT, 0o600), 1)
        code = wire.Client(sock).run(argv, cwd, env)
    finally:
        os._exit(NO_MACHINE if code is None else code)
