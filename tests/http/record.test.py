#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usher record: what is unpacked reads as the machine did, and tells not whose it is."""
import io
import json
import os
import pathlib
import struct
import subprocess
import tarfile
import tempfile
import unittest

BUILD = os.environ["USHER_BUILD"]
MACHINES = pathlib.Path(__file__).resolve().parents[3] / "shared" / "machines"
MAC, SERIAL, DSN, UUID, HOST = "00:1b:21:aa:bb:cc", "S4EVNF0M123456", "00-1b-21-ff-ff-aa-bb-cc", \
    "0a1b2c3d-1111-4222-8333-444455556666", "filer.example.net"


def usher(*words, status=0):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("USHER_")}
    done = subprocess.run([f"{BUILD}/usher", *words], capture_output=True, text=True, timeout=120,
                          env={**clean, "USHER_SERVER": "/nonexistent"}, check=False)
    if done.returncode != status:
        raise AssertionError(f"{words}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def devices(root=None):
    return json.loads(usher("device", "list", "--all", "--json", *(["--root", root] if root else [])).stdout)


def doctor(root=None):
    """Its findings; the status says whether one of them fails."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("USHER_")}
    done = subprocess.run([f"{BUILD}/usher", "doctor", "--json", *(["--root", root] if root else [])],
                          capture_output=True, text=True, timeout=120, env=clean, check=False)
    answer = json.loads(done.stdout)
    fails = any(finding["status"] == "fail" for finding in answer["findings"])
    if done.returncode != fails:
        raise AssertionError(f"doctor: {done.returncode}\n{done.stdout}{done.stderr}")
    return answer


def unpacked():
    """What is left of unpacked archives."""
    return [name for name in sorted(os.listdir(tempfile.gettempdir())) if name.startswith("usher-recording-")]


def put(root, path, content):
    whole = pathlib.Path(root, path)
    whole.parent.mkdir(parents=True, exist_ok=True)
    whole.write_bytes(content if isinstance(content, bytes) else content.encode())


def put_link(root, path, target):
    whole = pathlib.Path(root, path)
    whole.parent.mkdir(parents=True, exist_ok=True)
    whole.symlink_to(target)


def config_with_serial(vendor, device, class_code, serial):
    config = bytearray(4096)
    struct.pack_into("<HH", config, 0, vendor, device)
    config[8:12] = bytes([1]) + class_code.to_bytes(3, "little")
    struct.pack_into("<I", config, 0x100, 0x00010001 | 0x140 << 20)
    struct.pack_into("<I", config, 0x140, 0x00010003)
    config[0x144:0x14c] = bytes(int(part, 16) for part in reversed(serial.split("-")))
    return bytes(config)


def make_machine(root):
    """A network card, a disk with a serial number, and secrets where machines have them."""
    nic = "sys/devices/pci0000:00/0000:00:03.0"
    put(root, f"{nic}/config", config_with_serial(0x8086, 0x10d3, 0x020000, DSN))
    put(root, f"{nic}/net/enx001b21aabbcc/address", f"{MAC}\n")
    put(root, f"{nic}/net/enx001b21aabbcc/addr_assign_type", "0\n")
    put_link(root, "sys/bus/pci/devices/0000:00:03.0", f"../../../../{nic}")
    put_link(root, "sys/class/net/enx001b21aabbcc", f"../../../{nic}/net/enx001b21aabbcc")
    disk = "sys/devices/pci0000:00/0000:00:04.0"
    put(root, f"{disk}/config", config_with_serial(0x144d, 0xa808, 0x010802, "00-00-00-00-00-00-00-00"))
    put(root, f"{disk}/driver_override", "(null)\n")
    put(root, f"{disk}/nvme/nvme0/nvme0n1/dev", "259:0\n")
    put(root, f"{disk}/nvme/nvme0/serial", f"{SERIAL}\n")
    put_link(root, "sys/bus/pci/devices/0000:00:04.0", f"../../../../{disk}")
    put_link(root, "sys/class/block/nvme0n1", f"../../../{disk}/nvme/nvme0/nvme0n1")
    put_link(root, f"dev/disk/by-uuid/{UUID}", "../../nvme0n1")
    put(root, "run/udev/data/b259:0", f"S:disk/by-id/nvme-{SERIAL}\nE:ID_SERIAL={SERIAL}\nE:ID_FS_TYPE=ext4\n")
    put(root, "etc/fstab", f"# password of alice\nUUID={UUID} /srv ext4 defaults 0 2\n"
        f"//{HOST}/x /x cifs user=alice,password=hunter2 0 0\n")
    put(root, "proc/self/mountinfo", f"1 1 0:9 / / rw - nfs {HOST}:/root rw,addr=10.0.0.1,secret=hunter2\n")
    put(root, "proc/swaps", "Filename Type Size Used Priority\n")
    put(root, "proc/net/route", "Iface Destination Gateway Flags RefCnt Use Metric Mask\n"
        "enx001b21aabbcc 00000000 0100000A 0003 0 0 0 00000000\n")
    put(root, "proc/net/ipv6_route", "fe80000000000000021b21fffeaabbcc 80 " + "0" * 32 + " 00 " + "0" * 32
        + " 00000000 00000002 00000000 80200001 enx001b21aabbcc\n")
    put(root, "proc/cmdline", "BOOT_IMAGE=/vmlinuz root=UUID=x intel_iommu=on password=hunter2 i915.enable_gvt=1 "
        "vfio-pci.ids=8086:10d3 luks.key=hunter2 quiet\n")


def without_names(value, serials):
    """The same document, every serial in it by its number of first appearance."""
    if isinstance(value, dict):
        return {key: without_names(serials.setdefault(inner, len(serials)) if key in
                                   ("serial", "vpd_serial", "mac", "uuid") and inner else inner, serials)
                for key, inner in value.items()}
    if isinstance(value, list):
        return [without_names(inner, serials) for inner in value]
    return value


class Record(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.dir = self.folder.name

    def record(self, *words, name="r.tar.zst", suffix=""):
        file = f"{self.dir}/{name}"
        usher("record", file, *words)
        into = f"{self.dir}/{name}-unpacked{suffix}"
        os.mkdir(into)
        subprocess.run(["tar", "-xf", file, "-C", into], check=True)
        self.assertTrue(os.path.exists(f"{into}/.usher-recording"))
        return into

    def compare(self, before, after):
        self.assertEqual(without_names(before, {}), without_names(after, {}))

    def text_of(self, into):
        everything = []
        for path, folders, files in os.walk(into):
            everything += [path, *folders, *files]
            for name in folders + files:
                whole = f"{path}/{name}"
                if os.path.islink(whole):
                    everything.append(os.readlink(whole))
                elif os.path.isfile(whole):
                    with open(whole, "rb") as file:
                        everything.append(file.read().decode("latin-1"))
        return "\n".join(everything)

    def test_this_machine(self):
        for suffix in ("tar", "tar.gz", "tar.xz", "tar.zst"):
            into = self.record(name=f"r.{suffix}")
        self.compare(devices(), devices(into))
        self.compare(devices(), devices(self.record("--raw", name="raw.tar")))
        self.assertEqual(doctor(), doctor(into))
        again = self.record("--root", into, name="again.tar")
        self.assertEqual(doctor(), doctor(again))

    def test_archives_as_they_are(self):
        before = unpacked()
        for suffix in ("tar", "tar.gz", "tar.xz", "tar.zst"):
            into = self.record(name=f"a.{suffix}")
            self.assertEqual(devices(into), devices(f"{self.dir}/a.{suffix}"))
        self.assertEqual(doctor(into), doctor(f"{self.dir}/a.tar"))
        # One folder that has the rest.
        subprocess.run(["tar", "-cf", f"{self.dir}/b.tar", "-C", self.dir, "a.tar-unpacked"], check=True)
        self.assertEqual(devices(f"{self.dir}/a.tar"), devices(f"{self.dir}/b.tar"))
        self.assertEqual(unpacked(), before)

    def test_odd_archives(self):
        """Nothing is written outside, nothing is left, and a sentence says why."""
        def entry(name, kind=tarfile.REGTYPE, link="", content=b""):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, len(content)
            return info, io.BytesIO(content)

        outside = f"{self.dir}/outside"
        os.mkdir(outside)
        archives = {
            "absolute": [entry(f"{outside}/x", content=b"x")],
            "up": [entry("sys/../../x", content=b"x")],
            "through": [entry("sys", tarfile.SYMTYPE, outside), entry("sys/x", content=b"x")],
            "hard": [entry("x", tarfile.LNKTYPE, "/etc/passwd")],
            "device": [entry("dev/null", tarfile.CHRTYPE)],
            "empty": [],
        }
        for name, entries in archives.items():
            with tarfile.open(f"{self.dir}/{name}.tar", "w") as archive:
                for info, content in entries:
                    archive.addfile(info, content)
        pathlib.Path(f"{self.dir}/cut.tar.xz").write_bytes(b"\xfd7zXZ\0")
        pathlib.Path(f"{self.dir}/text.tar").write_text("no archive\n")
        before = unpacked()
        for name in [f"{name}.tar" for name in archives] + ["cut.tar.xz", "text.tar", "missing.tar"]:
            with self.subTest(name):
                done = usher("device", "list", "--root", f"{self.dir}/{name}", status=1)
                self.assertRegex(done.stderr, rf"^usher: '.*{name}' is no recording: .+\n$")
        self.assertEqual(os.listdir(outside), [])
        self.assertEqual(unpacked(), before)

    def test_without_root(self):
        if os.geteuid() != 0:
            self.skipTest("only root can be somebody else")
        os.chmod(self.dir, 0o777)
        nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", f"{BUILD}/usher"]
        if subprocess.run([*nobody, "version"], capture_output=True, check=False).returncode != 0:
            self.skipTest("nobody has no way to the program")
        done = subprocess.run([*nobody, "record", f"{self.dir}/n.tar"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        seen = subprocess.run([*nobody, "device", "list", "--json", "--server", "/nonexistent"], capture_output=True,
                              text=True, check=True).stdout
        os.mkdir(f"{self.dir}/n")
        subprocess.run(["tar", "-xf", f"{self.dir}/n.tar", "-C", f"{self.dir}/n"], check=True)
        self.compare(json.loads(seen), devices(f"{self.dir}/n"))

    def test_machines(self):
        if not MACHINES.is_dir():
            self.skipTest("no recordings beside the sources")
        for name in sorted(path.name.removesuffix(".tar.xz") for path in MACHINES.glob("*.tar.xz")):
            with self.subTest(name):
                root = f"{self.dir}/{name}"
                os.mkdir(root)
                subprocess.run(["tar", "-xf", MACHINES / f"{name}.tar.xz", "-C", root, "--strip-components=1"],
                               check=True)
                before = devices(root)
                self.assertGreater(len(before), 5)
                into = self.record("--root", root, name=f"{name}.tar.zst")
                self.compare(before, devices(into))
                self.assertEqual(doctor(root), doctor(into))
                again = self.record("--root", into, name=f"{name}-again.tar.gz")
                self.compare(before, devices(again))

    def test_secrets(self):
        root = f"{self.dir}/machine"
        make_machine(root)
        before = devices(root)
        self.assertEqual(before[0]["serial"], DSN)
        self.assertEqual(before[0]["guard"]["verdict"], "refused")
        self.assertIn("/srv", before[1]["guard"]["reasons"][0]["why"])
        into = self.record("--root", root)
        after = devices(into)
        self.assertEqual([device["guard"]["verdict"] for device in after],
                         [device["guard"]["verdict"] for device in before])
        self.assertRegex(after[0]["serial"], "^[0-9a-f]{2}(-[0-9a-f]{2}){7}$")
        text = self.text_of(into)
        for secret in (MAC, "001b21aabbcc", SERIAL, DSN, UUID, HOST, "hunter2", "alice", "021b21fffeaabbcc",
                       bytes(int(part, 16) for part in reversed(DSN.split("-"))).decode("latin-1")):
            self.assertNotIn(secret, text)
        with open(f"{into}/proc/cmdline", encoding="utf-8") as file:
            self.assertEqual(file.read(), "intel_iommu=on i915.enable_gvt=1 vfio-pci.ids=8086:10d3 quiet\n")
        raw = self.record("--root", root, "--raw", name="raw.tar")
        self.assertEqual(devices(raw), before)
        self.assertIn("hunter2", self.text_of(raw))

    def test_stable(self):
        root = f"{self.dir}/machine"
        make_machine(root)
        other = "sys/devices/pci0000:00/0000:00:03.1"
        put(root, f"{other}/config", config_with_serial(0x8086, 0x10d3, 0x020000, DSN))
        put_link(root, "sys/bus/pci/devices/0000:00:03.1", f"../../../../{other}")
        serials = [[device["serial"] for device in devices(self.record("--root", root, name=name))[:2]]
                   for name in ("one.tar", "two.tar")]
        self.assertEqual(serials[0][0], serials[0][1])
        self.assertNotEqual(serials[0], serials[1])

    def test_refusals(self):
        usher("record", f"{self.dir}/x.zip", status=2)
        usher("record", status=2)
        usher("record", f"{self.dir}/none/x.tar", status=1)
        usher("record", f"{self.dir}/x.tar", "--root", f"{self.dir}/none", status=1)
        into = self.record("--root", self.dir)
        done = usher("record", f"{into}/sys/x.tar", status=1)
        self.assertIn("a recording is never written to", done.stderr)
        usher("record", "/dev/full/x.tar", status=1)
        self.assertEqual([name for name in os.listdir(self.dir) if name.endswith(".new")], [])

    def test_archive(self):
        self.record(name="r.tar")
        with tarfile.open(f"{self.dir}/r.tar") as archive:
            seen = set()
            for member in archive:
                self.assertFalse(member.name.startswith(("/", "..")))
                parent = os.path.dirname(member.name)
                self.assertTrue(parent in seen or parent == "", member.name)
                self.assertTrue(member.isfile() or member.isdir() or member.issym())
                if member.isdir():
                    seen.add(member.name)
        self.assertEqual(os.stat(f"{self.dir}/r.tar").st_mode & 0o777, 0o600)


if __name__ == "__main__":
    unittest.main()
