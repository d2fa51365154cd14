# SPDX-License-Identifier: Apache-2.0
"""What a lab machine boots from, built once and kept in a cache folder.

Two parts, each under a name that says what went into it: base-HASH comes from Debian's archive
(tests/vm/build-base), kit-HASH is ours (tests/vm/build-kit). A part is built beside its place and
renamed into it, under a lock, so that no start ever sees half of one or builds it twice.
"""

import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent.parent
SHELF_LIFE = {"base": 14, "kit": 1, "libvirt": 14}  # days that a part is kept which nobody uses


class KitError(Exception):
    pass


class Kit:
    def __init__(self, base, own):
        self.base = base
        self.kernel = base / "vmlinux"
        self.qemu = base / "qemu/usr"
        self.initrd = own / "initrd"
        self.guest_initrd = own / "guest.initrd"
    def libvirt_knowledge(self, with_kvm):
        """Where we keep what libvirtd finds out about QEMU inside, which takes it 5 s every time.

        libvirtd believes it as long as both programs and the kernel are the ones it has seen.
        """
        programs = ("/usr/bin/qemu-system-x86_64", "/usr/sbin/libvirtd")
        seen = [str(os.stat(path).st_ctime) for path in programs if os.path.exists(path)]
        name = hashlib.sha256(" ".join([self.base.name, str(with_kvm), *seen]).encode())
        return self.base.parent / f"libvirt-{name.hexdigest()[:12]}.tar"


def cache_dir():
    path = os.environ.get("USHER_LAB_CACHE") or os.path.expanduser("~/.cache/usher-lab")
    return pathlib.Path(path).absolute()


def find_or_build():
    cache = cache_dir()
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KitError(f"the lab's cache folder can't be made: {error}") from None
    base = cache / ("base-" + digest(HERE / "build-base"))
    inputs = [HERE / name for name in ("build-kit", "init", "boot", "runner.c", "guest-init")]
    inputs += sorted((HERE / "modules").glob("*/*"))
    own = cache / ("kit-" + digest(*inputs, extra=base.name))
    if not (base / "versions").exists() or not (own / "initrd").exists():
        with lock(cache / "lock") as held:
            build(held, base, "build-base")
            build(held, own, "build-kit", str(base))
            remove_old(cache)
    for part in (base, own):
        os.utime(part)
    return Kit(base, own)


def digest(*paths, extra=""):
    total = hashlib.sha256(extra.encode())
    for path in paths:
        total.update(str(path.relative_to(HERE)).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()[:12]


class lock:
    def __init__(self, path):
        self.file = open(path, "w")

    def __enter__(self):
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("waiting for another start that is building the lab")
            fcntl.flock(self.file, fcntl.LOCK_EX)
        return self.file

    def __exit__(self, *_):
        self.file.close()


def build(held, place, script, *arguments):
    """The script has the lock, too: what it started may live a moment longer than we."""
    if place.exists():
        return
    started = time.monotonic()
    beside = place.with_name("." + place.name)
    shutil.rmtree(beside, ignore_errors=True)
    command = ["setpriv", "--pdeathsig", "TERM", "--", str(HERE / script), *arguments, str(beside)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, pass_fds=[held.fileno()])
    if done.returncode != 0:
        shutil.rmtree(beside, ignore_errors=True)
        raise KitError(f"tests/vm/{script} failed; the lab can't start without what it builds")
    beside.rename(place)
    say(f"built {place} in {time.monotonic() - started:.0f} s; later starts find it there")


def remove_old(cache):
    for kind, days in SHELF_LIFE.items():
        for part in cache.glob(kind + "-*"):
            if time.time() - part.stat().st_mtime < days * 24 * 3600:
                continue
            if part.is_dir():
                shutil.rmtree(part, ignore_errors=True)
            else:
                part.unlink()


def say(text):
    print(f"lab: {text}", file=sys.stderr, flush=True)
