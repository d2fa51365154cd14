# SPDX-License-Identifier: Apache-2.0
"""tools/lab: runs commands in a machine with passthrough hardware."""

import argparse
import fcntl
import glob
import os
import pathlib
import shutil
import struct
import sys
import tempfile
import time

import wire
from kit import HERE, KitError, find_or_build, say
from session import NO_MACHINE, Ended, Session, Timeout, end_on_signals

REPO = HERE.parent.parent
TIMED_OUT = 124  # as timeout(1)
LOCK = "lock"
SESSION_FILES = ("lab.sock", "qmp.sock", "monitor.sock", "initrd", "qemu.log")
PASSED_ON = ("TERM", "LANG", "NO_COLOR", "COLUMNS")

DESCRIPTION = """\
Runs COMMAND as root in the lab: a machine of QEMU's that has an IOMMU, network cards and a disk
with virtual functions, a display with its audio, USB and hot-plug. This machine's files are there at
the same paths, and what is written to them is forgotten; /tmp /run /dev /proc /sys are the lab's own.
Without COMMAND, on a terminal: a shell.
"""
EPILOG = """\
Several commands in one machine:
  tools/lab --session DIR [OPTION]... &    starts a machine that stays up
  tools/lab --in DIR -- COMMAND            runs a command in it, when it is ready
  tools/lab --in DIR --stop                ends it; --power-cut without as much as a flush
DIR then holds console.log and qmp.sock (QEMU's monitor).

Exit codes besides the command's: 2 wrong usage, 124 timed out, 125 no machine.
The cache is ~/.cache/usher-lab or $USHER_LAB_CACHE; $USHER_LAB_ACCEL (kvm or tcg) skips the probe.
"""


def parse(argv):
    def number(least):
        def convert(text):
            value = int(text)
            if value < least:
                raise argparse.ArgumentTypeError(f"{value} is less than {least}")
            return value
        convert.__name__ = "number"
        return convert

    parser = argparse.ArgumentParser(
        prog="tools/lab", allow_abbrev=False, description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="tools/lab [OPTION]... [--] [COMMAND...]")
    add = parser.add_argument
    add("--timeout", type=number(1), metavar="S", help="end after so many seconds from the boot on")
    add("--memory", type=number(384), metavar="MB", default=1536, help="default: 1536")
    add("--cpus", type=number(1), metavar="N", default=2, help="default: 2")
    add("--nodes", type=number(1), metavar="N", default=1, help="machines; only 1 so far")
    add("--up", action="store_true", help="start libvirtd, usherd and usher-agent first")
    add("--no-iommu", dest="iommu", action="store_false", help="a machine without an IOMMU")
    add("--kernel-args", metavar="TEXT", default="", help="more words for the kernel")
    add("--qemu-args", metavar="TEXT", default="", help="more words for QEMU")
    add("--disk", metavar="FILE", help="keep what the machine writes on this image (ext4),"
        " or on the disk that an NBD server has at this socket")
    add("--session", metavar="DIR", help="start a machine that stays up")
    add("--in", dest="inside", metavar="DIR", help="use the machine of that session")
    add("--stop", action="store_true", help="with --in: end the session")
    add("--power-cut", action="store_true", help="with --in: end it as a power cut does")
    add("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.command[:1] == ["--"]:
        del options.command[0]

    if options.nodes > 1:
        parser.error("several nodes aren't there yet: --nodes takes only 1")
    if (options.stop or options.power_cut) and not options.inside:
        parser.error("--stop and --power-cut need --in DIR")
    if options.inside and options.session:
        parser.error("--in and --session exclude each other")
    if options.session and options.command:
        parser.error("--session takes no command: --in DIR -- COMMAND does")
    if options.inside and not (options.command or options.stop or options.power_cut):
        options.command = shell(parser)
    if not (options.command or options.inside or options.session):
        options.command = shell(parser)
    return options


def shell(parser):
    if not (os.isatty(0) and os.isatty(1)):
        parser.error("without a terminal a COMMAND is needed")
    return ["bash"]


def environment():
    env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    env.setdefault("LANG", "C.UTF-8")
    env["PATH"] = f"{REPO}/build:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    env["HOME"] = "/root"
    env["USER"] = env["LOGNAME"] = "root"
    env["SHELL"] = "/bin/bash"
    return env


def run_once(options):
    remove_leftovers()
    with tempfile.TemporaryDirectory(prefix="usher-lab-") as name:
        folder = pathlib.Path(name)
        with mark(folder), Session(options, folder, REPO) as session:
            session.boot()
            code = session.run(options.command, os.getcwd(), environment())
            session.power_off()
            return code


def remove_leftovers():
    """Folders of runs that were killed before they could remove them."""
    for name in glob.glob(f"{tempfile.gettempdir()}/usher-lab-*/{LOCK}"):
        folder = pathlib.Path(name).parent
        if folder.owner() == pathlib.Path("/proc/self").owner() and not is_locked(folder):
            shutil.rmtree(folder, ignore_errors=True)


def mark(folder):
    """Locks the folder for as long as a machine may come there or is there."""
    if is_locked(folder):
        raise KitError(f"{folder} has a session already")
    # Locked before it has its name: a folder whose lock is free may be removed by anyone.
    beside = folder / f".lock.{os.getpid()}"
    file = open(beside, "w")
    fcntl.lockf(file, fcntl.LOCK_EX)
    beside.rename(folder / LOCK)
    return file


def is_locked(folder):
    """Asked without taking the lock, which could get into the way of a session that starts."""
    layout = "hhqqi4x"  # struct flock
    try:
        with open(folder / LOCK) as file:
            query = struct.pack(layout, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            answer = fcntl.fcntl(file, fcntl.F_GETLK, query)
    except OSError:
        return False
    return struct.unpack(layout, answer)[0] != fcntl.F_UNLCK


def run_session(options):
    folder = pathlib.Path(options.session).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    lock = mark(folder)
    for name in SESSION_FILES:  # of one that was killed
        (folder / name).unlink(missing_ok=True)
    try:
        with Session(options, folder, REPO) as session:
            session.boot()
            session.serve(str(folder / "lab.sock"))
            return 0
    finally:
        for name in (*SESSION_FILES, LOCK):
            (folder / name).unlink(missing_ok=True)
        lock.close()


def run_inside(options):
    sock = find_session(pathlib.Path(options.inside))
    if options.stop or options.power_cut:
        wire.order(sock, "stop" if options.stop else "power-cut")
        return 0
    code = wire.Client(sock).run(options.command, os.getcwd(), environment())
    if code is None:
        raise KitError("the machine went away while the command ran")
    return code


def find_session(folder):
    """Waits as long as a session is starting there."""
    patience = time.monotonic() + 5
    while True:
        try:
            return wire.connect(str(folder / "lab.sock"))
        except OSError:
            pass
        if is_locked(folder):
            patience = time.monotonic()
        elif time.monotonic() > patience:
            raise KitError(f"no lab session runs in {folder}")
        time.sleep(0.05)


def open_missing_streams():
    """So that no socket of ours gets the number of a stream that the caller closed."""
    while True:
        fd = os.open(os.devnull, os.O_RDWR)
        if fd > 2:
            os.close(fd)
            return


def main():
    open_missing_streams()
    options = parse(sys.argv[1:])
    try:
        if options.inside:
            return run_inside(options)
        end_on_signals()
        return run_session(options) if options.session else run_once(options)
    except KitError as error:
        say(str(error))
        return NO_MACHINE
    except Timeout:
        say("timed out")
        return TIMED_OUT
    except Ended as ended:
        return 128 + ended.number


sys.exit(main())
