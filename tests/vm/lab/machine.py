# SPDX-License-Identifier: Apache-2.0
"""The lab machine as QEMU's command line, and QEMU as a process that can't outlive us."""

import os
import pathlib
import shlex
import shutil
import socket
import subprocess
import tempfile
import time

from kit import KitError, cache_dir

# Root ports share slot 2 of bus 0 and get bus numbers in this order, so that the device behind
# rp1 is 01:00.0 and so on. The ports hp1 and hp2 stay empty, for hot-plug.
ROOT_PORTS = ["rp1", "rp2", "rp3", "rp4", "rp5", "hp1", "hp2", "rp8"]

USB_DISK_BYTES = 64 << 20

# The option ROMs of network cards only make the boot longer.
DEVICES = """
    -device e1000e,id=nic1,bus=rp1,mac=52:54:00:00:01:01,romfile=
    -device e1000e,id=nic2,bus=rp2,mac=52:54:00:00:01:02,romfile=
    -device VGA,id=vga,bus=rp3,addr=0.0,multifunction=on
    -device intel-hda,id=hda,bus=rp3,addr=0.1
    -device nvme-subsys,id=ss0
    -device nvme,id=nvme0,bus=rp4,serial=NVME0,subsys=ss0,sriov_max_vfs=4,sriov_vq_flexible=8,sriov_vi_flexible=4,max_ioqpairs=16,msix_qsize=16
    -netdev hubport,hubid=9,id=n5
    -device igb,id=igb0,bus=rp5,netdev=n5,mac=52:54:00:00:05:01,romfile=
    -device edu,id=edu0,bus=rp8
    -device qemu-xhci,id=xhci,bus=pcie.0,addr=0x5,p2=8,p3=8
    -device usb-storage,id=usbdisk,bus=xhci.0,drive=ud0,serial=USBDISK0001
    -device usb-kbd,id=usbkbd,bus=xhci.0,serial=USBKBD0001
"""

# A busy host delays an emulated timer so much that the kernel's own check of it panics: that check
# is left out. The last three spare the emulated CPU what it is slow at, and all of us a second's wait.
KERNEL_WORDS = ("console=ttyS0 quiet panic=-1 rdinit=/init no_timer_check "
                "mitigations=off cryptomgr.notests usb-storage.delay_use=0")


def processor(with_kvm, with_iommu):
    """Accelerator, CPU and IOMMU: what has to work together for KVM to be of use."""
    if with_kvm:
        words = ["-machine", "q35,accel=kvm,kernel-irqchip=split", "-cpu", "host"]
    else:
        # Page tables of five levels would make every walk longer.
        words = ["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max,la57=off"]
    if with_iommu:
        words += ["-device", "intel-iommu,intremap=on,caching-mode=on"]
    return words


def start_qemu(kit, arguments, **popen):
    """Dies with this process, whatever ends it."""
    firmware = [word for folder in ("qemu", "seabios")
                for word in ("-L", str(kit.qemu / "share" / folder))]
    command = ["setpriv", "--pdeathsig", "KILL", "--", str(kit.qemu / "bin/qemu-system-x86_64"),
               *firmware, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
               "-kernel", str(kit.kernel), *arguments]
    environment = dict(os.environ)
    # Its modules, not those of the QEMU that this machine may have installed.
    modules = kit.qemu / "lib/x86_64-linux-gnu/qemu"
    environment["QEMU_MODULE_DIR"] = str(modules)
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, **popen)


def kvm_works(kit):
    """Tried, since a /dev/kvm may be there and not run an ordinary kernel; known until the next boot."""
    choice = os.environ.get("USHER_LAB_ACCEL")
    if choice in ("kvm", "tcg"):
        return choice == "kvm"
    if choice:
        raise KitError("USHER_LAB_ACCEL is neither kvm nor tcg")
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    boot_id = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    known = cache_dir() / f"kvm-{boot_id}"
    if not known.exists():
        for old in cache_dir().glob("kvm-*"):
            old.unlink(missing_ok=True)
        known.write_text("yes" if boot_with_kvm(kit) else "no")
    return known.read_text() == "yes"


def boot_with_kvm(kit):
    process = start_qemu(kit, [
        *processor(with_kvm=True, with_iommu=True), "-m", "512", "-serial", "stdio",
        "-initrd", str(kit.guest_initrd), "-append", KERNEL_WORDS + " intel_iommu=on",
    ], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    os.set_blocking(process.stdout.fileno(), False)
    seen = b""
    deadline = time.monotonic() + 10
    while b"N-READY" not in seen and process.poll() is None and time.monotonic() < deadline:
        seen += process.stdout.read() or b""
        time.sleep(0.05)
    process.kill()
    process.wait()
    return b"N-READY" in seen


class Machine:
    """One run of the lab machine; its files lie in self.folder."""

    def __init__(self, kit, options, folder, with_kvm, settings):
        self.folder = folder
        self.console = folder / "console.log"
        self.errors = folder / "qemu.log"
        self.has_disk = bool(options.disk)
        port, far_end = socket.socketpair()
        arguments = [
            *processor(with_kvm, options.iommu),
            "-smp", str(options.cpus), "-m", str(options.memory),
            "-initrd", str(self._initrd(kit, settings)),
            "-append", kernel_command_line(options.kernel_args),
            "-chardev", f"file,id=console,path={self.console}", "-serial", "chardev:console",
            "-device", "virtio-serial-pci,bus=pcie.0,addr=0x1a",
            "-chardev", f"socket,id=lab,fd={far_end.fileno()}",
            "-device", "virtserialport,chardev=lab,name=lab",
            # QMP outside, and inside as /dev/virtio-ports/qmp: the monitor, dialled by QEMU itself.
            "-qmp", f"unix:{folder}/qmp.sock,server=on,wait=off",
            "-chardev", f"socket,id=monitor,path={folder}/monitor.sock,server=on,wait=off",
            "-mon", "chardev=monitor,mode=control",
            "-chardev", f"socket,id=inside,path={folder}/monitor.sock",
            "-device", "virtserialport,chardev=inside,name=qmp",
            "-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
            "-device", "virtio-9p-pci,fsdev=root,mount_tag=root,bus=pcie.0,addr=0x1e",
        ]
        for i, port_id in enumerate(ROOT_PORTS):
            shared = ",multifunction=on" if i == 0 else ""
            arguments += ["-device", f"pcie-root-port,id={port_id},bus=pcie.0,chassis={i + 1},"
                          f"slot={i + 1},addr=0x2.{i}{shared}"]
        arguments += [*DEVICES.split(), "-drive", f"if=none,id=ud0,format=raw,file={usb_disk(folder)}"]
        if options.disk:
            arguments += [
                "-drive", f"if=none,id=disk,format=raw,{medium(options.disk)}",
                "-device", "virtio-blk-pci,drive=disk,serial=LABDISK,bus=pcie.0,addr=0x19"
                + (",logical_block_size=4096,physical_block_size=4096" if is_socket(options.disk) else "")]
        arguments += shlex.split(options.qemu_args)
        with open(self.errors, "wb") as errors:
            self.process = start_qemu(kit, arguments, stdout=errors, stderr=errors,
                                      pass_fds=[far_end.fileno()])
        far_end.close()
        self.port = port

    def _initrd(self, kit, settings):
        """The kit's, and behind it a second archive with this run's settings."""
        lines = "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items())
        with tempfile.TemporaryDirectory(dir=self.folder) as top:
            pathlib.Path(top, "lab.env").write_text(lines)
            extra = subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], input=b"lab.env\n",
                                   cwd=top, stdout=subprocess.PIPE, check=True).stdout
        path = self.folder / "initrd"
        shutil.copyfile(kit.initrd, path)
        with open(path, "ab") as file:
            file.write(extra)
        return path

    def kill(self):
        self.process.kill()
        self.process.wait()

    def how_it_ended(self):
        """For a machine whose wire broke."""
        try:
            code = self.process.wait(2)
        except subprocess.TimeoutExpired:
            return "its runner closed the wire"
        return f"QEMU was killed by signal {-code}" if code < 0 else f"QEMU exited with {code}"

    def last_words(self):
        """For the sentence that says why there is no machine (any more)."""
        lines = []
        for path in (self.errors, self.console):
            if path.exists():
                lines += path.read_text(errors="replace").splitlines()[-15:]
        return "".join("\n    " + line for line in lines)


def kernel_command_line(wanted):
    words = [KERNEL_WORDS]
    if "intel_iommu=" not in wanted:
        words.append("intel_iommu=on")
    return " ".join([*words, wanted]).strip()


def escape(path):
    """A comma in an option's value is written twice."""
    return str(path).replace(",", ",,")


def is_socket(path):
    return pathlib.Path(path).is_socket()


def medium(path):
    """A file, or what an NBD server has at that socket, in sectors of 4096 bytes."""
    if is_socket(path):
        return f"file.driver=nbd,file.server.type=unix,file.server.path={escape(path)}"
    return f"file={escape(path)}"


def usb_disk(folder):
    path = folder / "usb-disk.img"
    with open(path, "wb") as file:
        file.truncate(USB_DISK_BYTES)
    return escape(path)


def prepare_disk(path):
    """Makes an empty disk when there is none yet."""
    if os.path.exists(path):
        return
    mkfs = shutil.which("mkfs.ext4", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not mkfs:
        raise KitError("--disk makes a new disk with mkfs.ext4, which isn't installed (e2fsprogs)")
    with open(path, "wb") as file:
        file.truncate(1 << 30)
    subprocess.run([mkfs, "-q", "-F", path], check=True)
