#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usher host prepare, revert and show, below a root of their own: what is printed, written, kept."""
import json
import os
import pathlib
import pty
import shutil
import stat
import subprocess
import tempfile
import unittest

BUILD = os.environ["USHER_BUILD"]
GRUB = 'GRUB_TIMEOUT=5 # seconds\nGRUB_CMDLINE_LINUX_DEFAULT="quiet"\n'
PREPARED = 'GRUB_TIMEOUT=5 # seconds\nGRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=on iommu=pt"\n'
NOBODY = 65534


class Prepare(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="usher-prepare-"))
        self.addCleanup(shutil.rmtree, self.root)
        self.put("etc/default/grub", GRUB)
        self.put("usr/sbin/update-grub", "#!/bin/sh\ntouch /tmp/usher-was-here\n")
        self.put("proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: vmx\n\n")

    def put(self, path, text):
        whole = self.root / path
        whole.parent.mkdir(parents=True, exist_ok=True)
        whole.write_text(text)

    def get(self, path):
        return (self.root / path).read_text()

    def files(self):
        return {str(p.relative_to(self.root)): p.read_bytes() for p in self.root.rglob("*") if p.is_file()}

    def usher(self, *words, status=0, **keywords):
        keywords.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run([f"{BUILD}/usher", "--root", str(self.root), *words], capture_output=True,
                              text=True, timeout=60, **keywords)
        self.assertEqual(done.returncode, status, f"{words}: {done.stdout}{done.stderr}")
        return done

    def device(self, address, ids, code, driver, group, **files):
        """A function on the root bus, as the kernel shows it."""
        vendor, device = ids.split(":")
        folder = f"sys/devices/pci0000:00/{address}"
        files = {"vendor": f"0x{vendor}", "device": f"0x{device}", "class": f"0x{code}", "revision": "0x00",
                 "subsystem_vendor": "0x8086", "subsystem_device": "0x2212", "numa_node": "-1", **files}
        for name, text in files.items():
            self.put(f"{folder}/{name}", f"{text}\n")
        for folder_name in (f"sys/bus/pci/drivers/{driver}", f"sys/kernel/iommu_groups/{group}",
                            "sys/bus/pci/devices"):
            (self.root / folder_name).mkdir(parents=True, exist_ok=True)
        os.symlink(f"../../../bus/pci/drivers/{driver}", self.root / folder / "driver")
        os.symlink(f"../../../kernel/iommu_groups/{group}", self.root / folder / "iommu_group")
        os.symlink(f"../../../devices/pci0000:00/{address}", self.root / "sys/bus/pci/devices" / address)

    def test_whole_gpu(self):
        """The IOMMU on, and the host's drivers kept off that one device: its twin keeps its driver."""
        self.put("usr/sbin/update-initramfs", "")
        self.device("0000:00:02.0", "8086:3e92", "030000", "i915", 1, boot_vga="1")
        self.device("0000:00:03.0", "8086:56a0", "030000", "i915", 2, boot_vga="0")
        self.device("0000:00:04.0", "8086:56a0", "030000", "i915", 3, boot_vga="0")
        done = self.usher("host", "prepare", "--yes", "--for", "pci", "0000:00:02.0")
        self.assertIn("warning: the screen of this machine goes dark early in the boot", done.stdout)
        self.assertIn("warning: no other way into this machine is seen", done.stdout)
        self.assertIn("to be run on that host: /usr/sbin/update-initramfs -u -k all\n", done.stdout)
        self.assertEqual(self.get("etc/modprobe.d/usher.conf").splitlines()[1:],
                         ["options vfio-pci ids=8086:3e92", "softdep i915 pre: vfio-pci"])
        self.assertFalse((self.root / "etc/udev/rules.d/05-usher.rules").exists())

        self.usher("host", "prepare", "--yes", "--for", "pci", "0000:00:03.0")
        rules = self.get("etc/udev/rules.d/05-usher.rules")
        self.assertIn('ATTR{[pci/0000:00:03.0]driver_override}="vfio-pci"', rules)
        self.assertNotIn("0000:00:04.0", rules)
        self.assertNotIn("56a0", self.get("etc/modprobe.d/usher.conf"))
        self.assertTrue(os.access(self.root / "etc/initramfs-tools/hooks/usher", os.X_OK))
        for name, text in self.files().items():
            self.assertFalse(name.startswith("etc/") and b"blacklist" in text and b"sysfb" not in text, name)
        self.usher("host", "revert", "--yes")
        self.assertEqual(self.get("etc/default/grub"), GRUB)
        self.assertEqual([p for p in (self.root / "etc").rglob("*") if p.is_file()],
                         [self.root / "etc/default/grub"])

    def test_split_gpu(self):
        """GVT-g: the host keeps its screen and i915, and nothing needs another initial RAM disk."""
        self.put("usr/sbin/update-initramfs", "")
        self.device("0000:00:02.0", "8086:3e92", "030000", "i915", 1, boot_vga="1")
        done = self.usher("host", "prepare", "--yes", "--for", "gvt-g", "0000:00:02.0")
        self.assertNotIn("warning", done.stdout)
        self.assertNotIn("update-initramfs", done.stdout)
        self.assertIn("i915.enable_gvt=1", self.get("etc/default/grub"))
        self.assertEqual(self.get("etc/modules-load.d/usher.conf").splitlines()[1:], ["kvmgt"])
        self.assertFalse((self.root / "etc/modprobe.d").exists())

    def test_without_yes(self):
        before = self.files()
        done = self.usher("host", "prepare", status=1)
        self.assertIn('-GRUB_CMDLINE_LINUX_DEFAULT="quiet"\n', done.stdout)
        self.assertIn('+GRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=on iommu=pt"\n', done.stdout)
        self.assertIn("--- /dev/null\n+++ /etc/modules-load.d/usher.conf\n", done.stdout)
        self.assertEqual(done.stderr, "usher: nothing was changed: --yes says that this is wanted\n")
        self.assertEqual(self.files(), before)

    def test_dry_run(self):
        before = self.files()
        done = self.usher("host", "prepare", "--dry-run")
        self.assertIn("+++ /etc/default/grub\n", done.stdout)
        self.assertIn("then run: /usr/sbin/update-grub\n", done.stdout)
        self.assertEqual(self.files(), before)

    def test_there_and_back(self):
        before = self.files()
        done = self.usher("host", "prepare", "--yes")
        self.assertIn("reboot", done.stdout)
        self.assertIn("to be run on that host: /usr/sbin/update-grub\n", done.stdout)
        self.assertFalse(os.path.exists("/tmp/usher-was-here"))
        self.assertEqual(self.get("etc/default/grub"), PREPARED)
        self.assertIn("vfio-pci\n", self.get("etc/modules-load.d/usher.conf"))
        self.assertEqual(self.get("etc/default/grub.usher-backup"), GRUB)

        prepared = self.files()
        done = self.usher("host", "prepare", "--yes")
        self.assertEqual(done.stdout, "there is nothing left to change; a reboot is due\n")
        self.assertEqual(self.files(), prepared)

        shown = self.usher("host", "show").stdout
        self.assertRegex(shown, r"prepared +\d{4}-.*, for pci\n")
        self.assertIn("/etc/default/grub: + intel_iommu=on\n", shown)

        self.put("etc/default/grub", "# mine\n" + PREPARED)
        self.usher("host", "revert", status=1)
        self.assertEqual(self.get("etc/default/grub"), "# mine\n" + PREPARED)
        self.usher("host", "revert", "--yes")
        self.assertEqual(self.files(), {**before, "etc/default/grub": ("# mine\n" + GRUB).encode()})
        done = self.usher("host", "revert", "--yes")
        self.assertEqual(done.stdout, "usher has changed nothing here\n")

    def test_conflict(self):
        self.usher("host", "prepare", "--yes")
        self.put("etc/default/grub", PREPARED.replace("iommu=pt", "iommu=nopt"))
        before = self.files()
        done = self.usher("host", "revert", "--yes", status=1)
        self.assertIn("/etc/default/grub: usher's 'iommu=pt' was changed to 'iommu=nopt'", done.stderr)
        self.assertEqual(self.files(), before)

    def test_what_is_due_is_due_again(self):
        """Killed after the files were written, before what must run after: prepare goes on there."""
        self.usher("host", "prepare", "--yes")
        manifest = json.loads(self.get("var/lib/usher-agent/host-prepare.json"))
        manifest["due"] = [{"words": ["/usr/sbin/update-grub"]}]
        self.put("var/lib/usher-agent/host-prepare.json", json.dumps(manifest))
        done = self.usher("host", "prepare", "--yes")
        self.assertIn("to be run on that host: /usr/sbin/update-grub\n", done.stdout)

    def killed_at(self, call, k, *words):
        """Runs a command that is killed at its k-th such call; False: it makes no such call."""
        done = subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
                               "-e", f"inject={call}:signal=KILL:when={k}",
                               f"{BUILD}/usher", "--root", str(self.root), "host", *words, "--yes"],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
                              env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})  # not while traced
        self.assertIn(done.returncode, (0, -9, 137), done.stderr)
        return done.returncode != 0

    def whole(self):
        """The files, without what a killed one leaves beside them."""
        return {name: text for name, text in self.files().items()
                if not name.endswith((".usher-new", ".usher-backup", "host-prepare.json"))}

    def kill_all_over(self, call, word, back, begin, end):
        """Killed at each such call; then it goes on where it was, and goes back. How often that was."""
        k = 1
        while self.killed_at(call, k, word):
            for name, text in self.whole().items():
                self.assertIn(text, (begin.get(name), end.get(name)), f"{word} {call} {k} {name}")
            for again, state in ((word, end), (back, begin)):
                self.usher("host", again, "--yes")
                self.assertEqual(self.whole(), state, f"{word} {call} {k}: {again}")
            k += 1
        return k - 1

    @unittest.skipIf(shutil.which("strace") is None, "there is no strace")
    def test_killed_anywhere(self):
        before = self.whole()
        self.usher("host", "prepare", "--yes")
        after = self.whole()
        for word, back, begin, end in (("revert", "prepare", after, before), ("prepare", "revert", before, after)):
            n = 0
            for call in ("fsync", "renameat", "unlinkat", "mkdirat", "fchmod"):
                n += self.kill_all_over(call, word, back, begin, end)
                self.usher("host", back, "--yes")
            self.assertGreater(n, 20)
            self.usher("host", word, "--yes")

    def test_json(self):
        plan = json.loads(self.usher("host", "prepare", "--dry-run", "--json").stdout)
        self.assertEqual(plan["loader"], "grub")
        self.assertEqual(plan["commands"], [["/usr/sbin/update-grub"]])
        self.assertFalse(plan["applied"])
        self.assertIn({"path": "/etc/default/grub", "was": GRUB, "is": PREPARED}, plan["files"])
        self.assertIn("iommu-active", plan["promises"])
        refused = self.usher("host", "prepare", "--json", status=1)
        self.assertFalse(json.loads(refused.stdout)["applied"])
        applied = json.loads(self.usher("host", "prepare", "--json", "--yes").stdout)
        self.assertTrue(applied["applied"] and applied["reboot_due"])
        shown = json.loads(self.usher("host", "show", "--json").stdout)
        self.assertEqual(shown["prepared"]["goal"], "pci")

    def test_gvt_keeps_the_console(self):
        self.usher("host", "prepare", "--for", "gvt-g", "--yes")
        self.assertIn("i915.enable_gvt=1", self.get("etc/default/grub"))
        modules = self.get("etc/modules-load.d/usher.conf")
        self.assertIn("\nkvmgt\n", modules)
        for old in ("vfio_mdev", "vfio_virqfd", "exngt", "vfio-mdev"):
            self.assertNotIn(old, modules)

    def test_unreadable_file(self):
        self.put("etc/default/grub", 'A=1\nGRUB_CMDLINE_LINUX="quiet\n')
        before = self.files()
        done = self.usher("host", "prepare", "--yes", status=1)
        self.assertIn("/etc/default/grub:2: a quote is not closed: GRUB_CMDLINE_LINUX=\"quiet", done.stderr)
        self.assertEqual(self.files(), before)

    def test_unified_image(self):
        (self.root / "etc/default/grub").unlink()
        self.put("boot/efi/EFI/Linux/linux.efi", "MZ")
        done = self.usher("host", "prepare", "--yes", status=1)
        self.assertIn("signed with it", done.stderr)

    def test_recording_is_never_written(self):
        self.put(".usher-recording", "")
        before = self.files()
        done = self.usher("host", "prepare", "--yes", status=1)
        self.assertIn("is a recording", done.stderr)
        self.assertIn("+++ /etc/default/grub", done.stdout)
        self.assertEqual(self.files(), before)

    def test_asks_on_a_terminal(self):
        for answer, status, text in ((b"n\n", 1, GRUB), (b"y\n", 0, PREPARED)):
            main, terminal = pty.openpty()
            os.write(main, answer)
            with os.fdopen(terminal, "rb") as stdin:
                done = subprocess.run([f"{BUILD}/usher", "--root", str(self.root), "host", "prepare"],
                                      stdin=stdin, stderr=stdin, stdout=subprocess.PIPE, timeout=60, check=False)
            os.close(main)
            self.assertEqual(done.returncode, status)
            self.assertEqual(self.get("etc/default/grub"), text)

    def test_edited_while_it_asks(self):
        main, terminal = pty.openpty()
        with os.fdopen(terminal, "rb") as stdin:
            asking = subprocess.Popen([f"{BUILD}/usher", "--root", str(self.root), "host", "prepare"],
                                      stdin=stdin, stderr=stdin, stdout=subprocess.PIPE)
            said = b""
            while b"[y/N]" not in said:
                said += os.read(main, 1000)
            self.put("etc/default/grub", "# mine\n" + GRUB)
            os.write(main, b"y\n")
            asking.communicate(timeout=60)
        os.close(main)
        self.assertEqual(asking.returncode, 1)
        self.assertEqual(self.get("etc/default/grub"), "# mine\n" + GRUB)
        self.assertFalse((self.root / "var/lib/usher-agent/host-prepare.json").exists())

    def test_mode_is_kept(self):
        os.chmod(self.root / "etc/default/grub", 0o600)
        self.usher("host", "prepare", "--yes")
        self.assertEqual(stat.S_IMODE((self.root / "etc/default/grub").stat().st_mode), 0o600)

    @unittest.skipIf(os.geteuid() != 0, "only root can become somebody else")
    def test_not_root(self):
        """Of this machine: what would be changed is shown, whatever that is; nothing is written."""
        done = subprocess.run([f"{BUILD}/usher", "host", "prepare", "--yes"], capture_output=True, text=True,
                              timeout=60, user=NOBODY, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertTrue("only root may write boot files" in done.stderr or "boot loader" in done.stderr,
                        done.stderr)


if __name__ == "__main__":
    unittest.main()
