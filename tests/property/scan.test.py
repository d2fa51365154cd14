#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The scanner beside a slow reader that knows nothing of it, on recorded machines and on what is
left of them when links are removed, files cut, filled with random bytes, closed to the reader or
looped, and when files vanish while they are read.

USHER is the program; recordings are looked for in ../shared/machines beside the sources.
"""
import json
import os
import pathlib
import random
import re
import stat
import subprocess
import sys
import tarfile
import tempfile
import threading

SOURCE = pathlib.Path(__file__).resolve().parents[2]
MACHINES = sorted((SOURCE.parent / "shared" / "machines").glob("*.tar.xz"))
USHER = os.environ["USHER"]
SEED = int(os.environ.get("SEED", "0")) or random.randrange(1, 1 << 30)
ROUNDS = int(os.environ.get("ROUNDS", "3"))
NOBODY = 65534
ADDRESS = re.compile(r"^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$")

count = failed = 0


def tap(is_good, text, why=""):
    global count, failed
    count += 1
    failed += not is_good
    print(f"{'ok' if is_good else 'not ok'} {count} - {text}", flush=True)
    for line in [] if is_good else why.splitlines()[:20]:
        print("# " + line)


# ---- the slow reader


def read(folder, name):
    """An attribute: no link, the first page, trimmed; None where it is missing, empty or (null)."""
    path = os.path.join(folder, name)
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return None
        with open(path, "rb") as file:
            data = file.read(4096)
    except OSError:
        return None
    text = data.split(b"\0")[0].strip(b" \t\n\r\f\v")
    return None if text in (b"", b"(null)") else text


def read_hex(folder, name, limit):
    text = read(folder, name)
    if text is None or not re.fullmatch(rb"(0[xX])?[0-9a-fA-F]{1,16}", text):
        return None
    value = int(text, 16)
    return value if value <= limit else None


def read_number(folder, name):
    text = read(folder, name)
    if text is None or not re.fullmatch(rb"[+-]?[0-9]{1,18}", text):
        return None
    return int(text)


def link(folder, name):
    try:
        last = os.path.basename(os.readlink(os.path.join(folder, name)))
        return None if last in ("", ".", "..") else last
    except OSError:
        return None


def ids_of_config(folder):
    try:
        path = os.path.join(folder, "config")
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return None
        with open(path, "rb") as file:
            space = file.read(64)
    except OSError:
        return None
    if len(space) < 64 or space[:2] in (b"\xff\xff", b"\0\0"):
        return None
    number = lambda at, size: int.from_bytes(space[at : at + size], "little")
    ids = {"vendor_id": f"{number(0, 2):04x}", "device_id": f"{number(2, 2):04x}",
           "class": f"{number(9, 3):06x}", "revision": f"{number(8, 1):02x}"}
    if space[14] & 0x7F == 0:
        ids.update(subsystem_vendor_id=f"{number(0x2C, 2):04x}", subsystem_device_id=f"{number(0x2E, 2):04x}")
    else:
        ids.update(subsystem_of_files(folder))
    return ids


def subsystem_of_files(folder):
    modalias = parse_modalias(folder)
    if modalias:
        return {"subsystem_vendor_id": modalias[2], "subsystem_device_id": modalias[3]}
    values = [read_hex(folder, name, 0xFFFF) for name in ("subsystem_vendor", "subsystem_device")]
    if None in values:
        return {}
    return {"subsystem_vendor_id": f"{values[0]:04x}", "subsystem_device_id": f"{values[1]:04x}"}


def parse_modalias(folder):
    parts = re.fullmatch(
        rb"pci:v0000(....)d0000(....)sv0000(....)sd0000(....)bc(..)sc(..)i(..)", read(folder, "modalias") or b"")
    if parts is None or not all(re.fullmatch(rb"[0-9A-Fa-f]+", part) for part in parts.groups()):
        return None
    return [part.decode().lower() for part in parts.groups()]


def ids_of_files(folder):
    modalias = parse_modalias(folder)
    if modalias:
        vendor, device, sub_vendor, sub_device, *code = modalias
        ids = {"vendor_id": vendor, "device_id": device, "subsystem_vendor_id": sub_vendor,
               "subsystem_device_id": sub_device, "class": "".join(code)}
    else:
        values = [read_hex(folder, name, limit)
                  for name, limit in (("vendor", 0xFFFF), ("device", 0xFFFF), ("class", 0xFFFFFF))]
        if None in values:
            return None
        ids = {"vendor_id": f"{values[0]:04x}", "device_id": f"{values[1]:04x}", "class": f"{values[2]:06x}"}
        ids.update(subsystem_of_files(folder))
    revision = read_hex(folder, "revision", 0xFF)
    if revision is not None:
        ids["revision"] = f"{revision:02x}"
    return ids


def key_of(address):
    domain, bus, rest = address.split(":")
    slot, function = rest.split(".")
    return tuple(int(part, 16) for part in (domain, bus, slot, function))


def read_device(root, address):
    folder = os.path.join(root, "sys/bus/pci/devices", address)
    if not os.path.isdir(folder) or not os.access(folder, os.X_OK):
        return None
    physical = link(folder, "physfn")
    ids = (ids_of_files(folder) or ids_of_config(folder)) if physical else \
        (ids_of_config(folder) or ids_of_files(folder))
    group = link(folder, "iommu_group") or ""
    node = read_number(folder, "numa_node")
    device = dict.fromkeys(("vendor_id", "device_id", "class", "revision", "subsystem_vendor_id",
                            "subsystem_device_id"))
    device.update(ids or {})
    device.update(
        physical_function=physical, driver=link(folder, "driver"),
        iommu_group=int(group) if re.fullmatch("[0-9]{1,10}", group) and int(group) < 1 << 31 else None,
        numa_node=node if node is not None and node >= 0 else None, virtual_functions=[])
    total = read_number(folder, "sriov_totalvfs")
    if not physical and total is not None and total >= 0 and link(folder, "virtfn0"):
        try:
            names = [name for name in os.listdir(folder) if re.fullmatch("virtfn[0-9]+", name)]
        except OSError:
            names = []
        targets = [link(folder, name) for name in sorted(names, key=lambda name: int(name[6:]))]
        device["virtual_functions"] = [target for target in targets if target]
    return device


def read_slowly(root):
    try:
        names = os.listdir(os.path.join(root, "sys/bus/pci/devices"))
    except OSError:
        names = []
    devices = {}
    for name in sorted(filter(ADDRESS.match, names), key=key_of):
        device = read_device(root, name)
        if device is not None:
            devices[name] = device
    for name, device in devices.items():
        physical = devices.get(device["physical_function"])
        if physical is not None and name != device["physical_function"] and \
                name not in physical["virtual_functions"]:
            physical["virtual_functions"].append(name)
    for name, device in devices.items():
        device["companions"] = [
            other for other, there in devices.items() if other != name and (
                (device["iommu_group"] is not None and device["iommu_group"] == there["iommu_group"]) or
                (not device["physical_function"] and not there["physical_function"] and
                 name[:-1] == other[:-1]))]
    return devices


# ---- what is compared


def scan_with_notes(root):
    command = [USHER, "--root", root, "device", "list", "--json", "--verbose"]
    if os.geteuid() == 0:
        command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--", *command]
    done = subprocess.run(command, capture_output=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"exit code {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    devices = {device["address"]: device for device in json.loads(done.stdout) if device["kind"] == "pci"}
    return devices, done.stderr.decode(errors="replace")


def scan(root):
    return scan_with_notes(root)[0]


def read_as_nobody(root):
    """In a process of its own, that may read no more than the scanner."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
        with os.fdopen(writer, "w") as file:
            json.dump(read_slowly(root), file)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        text = file.read()
    os.waitpid(pid, 0)
    return json.loads(text)


def differences(root):
    wanted = read_as_nobody(root)
    got, notes = scan_with_notes(root)
    lines = [f"{address}: only one has it" for address in wanted.keys() ^ got.keys()]
    for address in wanted.keys() & got.keys():
        for name, value in wanted[address].items():
            if got[address][name] != value:
                lines.append(f"{address} {name}: {got[address][name]!r}, the reader has {value!r}")
        guard = got[address]["guard"]
        # Nothing is free because it could not be read.
        if guard["verdict"] == "free" and got[address]["class"] is None:
            lines.append(f"{address}: free, and nobody knows what it is")
        if got[address]["vendor_id"] is None and f"who {address} is could not be read" not in notes:
            lines.append(f"{address}: nobody knows who it is, and there is no note")
        if (guard["verdict"] == "free") != (guard["reasons"] == []):
            lines.append(f"{address}: {guard['verdict']} for {guard['reasons']}")
    return lines


# ---- what is done to a tree


def mutate(path, chance):
    is_link = path.is_symlink()
    what = chance.choice(["remove", "loop", "astray"] if is_link else
                         ["remove", "cut", "noise", "closed", "loop", "long", "empty"])
    if what == "remove":
        path.unlink()
    elif what == "loop":
        path.unlink()
        path.symlink_to(path.name)
    elif what == "astray":
        path.unlink()
        path.symlink_to(chance.choice(["../../../../../../../../etc/passwd", "/", "..", "nowhere", "a" * 200]))
    elif what == "closed":
        path.chmod(0)
    else:
        data = path.read_bytes()
        path.write_bytes({"cut": data[: chance.randrange(len(data) + 1)], "empty": b"",
                          "noise": chance.randbytes(chance.randrange(1, 80)), "long": data * 400}[what])


def open_for_all(root):
    for folder, _, files in os.walk(root):
        os.chmod(folder, 0o755)
        for name in files:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                os.chmod(path, 0o644)


def pick_paths(root):
    paths = []
    for top in ("sys/bus/pci/devices", "sys/devices", "sys/class", "proc"):
        for folder, folders, files in os.walk(os.path.join(root, top)):
            names = files + [name for name in folders if os.path.islink(os.path.join(folder, name))]
            paths += [pathlib.Path(folder, name) for name in names]
    return sorted(paths)


def test_closed(root, chance):
    """What is there and may not be read is null, with a note of its own."""
    links = sorted(pathlib.Path(root, "sys/bus/pci/devices").iterdir())
    path = chance.choice(links).resolve() / "numa_node"
    path.write_text("1\n")
    path.chmod(0)
    devices, notes = scan_with_notes(root)
    path.unlink()
    if devices[path.parent.name]["numa_node"] is not None:
        raise AssertionError(f"{path} could not be read, and has a value")
    if not re.search(rf"^note: \S*/{path.parent.name}/numa_node could not be read: Permission denied$", notes, re.M):
        raise AssertionError(f"no note of {path}: {notes[-500:]}")


def test_vanishing(root, chance):
    """A folder's content goes and comes while it is scanned: whatever is found, nothing breaks."""
    links = [path for path in pathlib.Path(root, "sys/bus/pci/devices").iterdir() if path.is_symlink()]
    places = [path.resolve() for path in links if path.is_dir()]
    places = [place for place in places if pathlib.Path(root, "sys/devices").resolve() in place.parents]
    stop = threading.Event()

    def vanish():
        while not stop.is_set() and places:
            place = chance.choice(places)
            away = place.with_name(place.name + ".away")
            try:
                place.rename(away)
                away.rename(place)
            except OSError:
                pass

    thread = threading.Thread(target=vanish)
    thread.start()
    try:
        for _ in range(20):
            scan(root)
    finally:
        stop.set()
        thread.join()


def test_machine(archive, folder):
    name = archive.name.removesuffix(".tar.xz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="fully_trusted")
    root = next(str(path.parent) for path in pathlib.Path(folder).glob("**/sys") if path.is_dir())
    open_for_all(folder)
    chance = random.Random(f"{SEED} {name}")
    lines = differences(root)
    tap(not lines, name, "\n".join(lines))
    try:
        test_closed(root, chance)
        tap(True, f"{name}, closed")
    except (AssertionError, subprocess.TimeoutExpired, ValueError) as error:
        tap(False, f"{name}, closed", f"SEED={SEED}\n{error}")
    for n in range(ROUNDS):
        paths = pick_paths(root)
        for path in chance.sample(paths, min(len(paths), 5 + len(paths) // 30)):
            if os.path.lexists(path):
                mutate(path, chance)
        try:
            lines = differences(root)
        except (AssertionError, subprocess.TimeoutExpired, ValueError) as error:
            lines = [str(error)]
        tap(not lines, f"{name}, mutated {n + 1} times", f"SEED={SEED}\n" + "\n".join(lines))
    try:
        test_vanishing(root, chance)
        tap(True, f"{name}, vanishing")
    except (AssertionError, subprocess.TimeoutExpired, ValueError) as error:
        tap(False, f"{name}, vanishing", f"SEED={SEED}\n{error}")


def main():
    if not MACHINES:
        print(f"1..0 # SKIP there are no recordings in {SOURCE.parent / 'shared' / 'machines'}")
        return 0
    print(f"# SEED={SEED}")
    for archive in MACHINES:
        with tempfile.TemporaryDirectory(prefix="usher-property-") as folder:
            os.chmod(folder, 0o755)
            test_machine(archive, folder)
    print(f"1..{count}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
