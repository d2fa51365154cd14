/* SPDX-License-Identifier: Apache-2.0 */
/* The guard: what a host does with its devices, and the sentence that refuses one of them. */
#include "core/guard.h"

#include "inventory-text.h"

typedef struct GuardRow {
	const char *name;
	const char *world;
	const char *device;
	UsherVerdict verdict;
	const char *sentence;
} GuardRow;

#define FREE       USHER_VERDICT_FREE
#define REFUSED    USHER_VERDICT_REFUSED
#define UNKNOWN    USHER_VERDICT_UNKNOWN
#define NOT_NEEDED "the host does not need it"

#define NVME \
	"dev 0000:04:00.0 010802 driver=nvme group=4\nblock nvme0n1 259:0 pci=0000:04:00.0\n" \
	"block nvme0n1p1 259:1 pci=0000:04:00.0 parent=nvme0n1\n" \
	"block nvme0n1p2 259:2 pci=0000:04:00.0 parent=nvme0n1\n"

#define SATA \
	"dev 0000:06:00.0 010601 driver=ahci\ndev 0000:07:00.0 010601 driver=ahci\n" \
	"block sda 8:0 pci=0000:06:00.0\nblock sda1 8:1 pci=0000:06:00.0 parent=sda\n" \
	"block sdb 8:16 pci=0000:07:00.0\nblock sdb1 8:17 pci=0000:07:00.0 parent=sdb\n"

#define NICS \
	"dev 0000:01:00.0 020000 driver=e1000e\ndev 0000:02:00.0 020000 driver=e1000e\n" \
	"net eth0 pci=0000:01:00.0\nnet eth1 pci=0000:02:00.0\n"

static const GuardRow rows[] = {
	/* storage */
	{ "root-partition", NVME "mount 259:2 /dev/nvme0n1p2 /\n", "0000:04:00.0", REFUSED,
		"0000:04:00.0 holds / (/ → /dev/nvme0n1p2 → nvme0n1 → 0000:04:00.0)" },
	{ "idle-disk", NVME, "0000:04:00.0", FREE, NOT_NEEDED },
	{ "data-mount", NVME "mount 259:0 /dev/nvme0n1 /srv/data\n", "0000:04:00.0", REFUSED,
		"0000:04:00.0 holds /srv/data (/srv/data → /dev/nvme0n1 → 0000:04:00.0)" },
	{ "one-name-of-many-mounts",
		NVME "mount 259:2 /dev/nvme0n1p2 /var/lib/x\nmount 259:2 /dev/nvme0n1p2 /\n",
		"0000:04:00.0", REFUSED,
		"0000:04:00.0 holds / (/ → /dev/nvme0n1p2 → nvme0n1 → 0000:04:00.0)" },
	{ "root-and-esp",
		NVME "mount 259:2 /dev/nvme0n1p2 /\nmount 259:1 /dev/nvme0n1p1 /boot/efi\n",
		"0000:04:00.0", REFUSED,
		"0000:04:00.0 holds / (/ → /dev/nvme0n1p2 → nvme0n1 → 0000:04:00.0); "
		"0000:04:00.0 holds /boot/efi (/boot/efi → /dev/nvme0n1p1 → nvme0n1 → "
		"0000:04:00.0)" },
	{ "swap", NVME "mount - /dev/nvme0n1p1 swap\n", "0000:04:00.0", REFUSED,
		"0000:04:00.0 holds active swap (swap → /dev/nvme0n1p1 → nvme0n1 → 0000:04:00.0)" },
	{ "lvm",
		NVME
		"block dm-0 254:0 on=nvme0n1p2 mapper=vg-root\nmount 254:0 /dev/mapper/vg-root /\n",
		"0000:04:00.0", REFUSED,
		"0000:04:00.0 holds / (/ → /dev/mapper/vg-root → dm-0 → nvme0n1p2 → nvme0n1 → "
		"0000:04:00.0)" },
	{ "luks-below-lvm",
		NVME "block dm-0 254:0 on=nvme0n1p2 mapper=luks\nblock dm-1 254:1 on=dm-0 "
		     "mapper=vg-root\n"
		     "mount 254:1 /dev/mapper/vg-root /\n",
		"0000:04:00.0", REFUSED,
		"0000:04:00.0 holds / (/ → /dev/mapper/vg-root → dm-1 → dm-0 → nvme0n1p2 → nvme0n1 "
		"→ "
		"0000:04:00.0)" },
	{ "md-first", SATA "block md0 9:0 on=sda1 on=sdb1\nmount 9:0 /dev/md0 /\n", "0000:06:00.0",
		REFUSED, "0000:06:00.0 holds / (/ → /dev/md0 → sda1 → sda → 0000:06:00.0)" },
	{ "md-second", SATA "block md0 9:0 on=sda1 on=sdb1\nmount 9:0 /dev/md0 /\n", "0000:07:00.0",
		REFUSED, "0000:07:00.0 holds / (/ → /dev/md0 → sdb1 → sdb → 0000:07:00.0)" },
	{ "md-idle", SATA "block md0 9:0 on=sda1 on=sdb1\n", "0000:07:00.0", REFUSED,
		"0000:07:00.0 is part of md0 (md0 → sdb1 → sdb → 0000:07:00.0)" },
	{ "bcache", SATA "block bcache0 252:0 on=sda1 on=sdb1\nmount 252:0 /dev/bcache0 /home\n",
		"0000:07:00.0", REFUSED,
		"0000:07:00.0 holds /home (/home → /dev/bcache0 → sdb1 → sdb → 0000:07:00.0)" },
	{ "loop-file",
		SATA "block loop0 7:0 file=/srv/image.raw\nmount 8:1 /dev/sda1 /srv\nmount 8:17 "
		     "/dev/sdb1 /\n"
		     "mount 7:0 /dev/loop0 /mnt\n",
		"0000:06:00.0", REFUSED,
		"0000:06:00.0 holds /mnt (/mnt → /dev/loop0 → /srv/image.raw → /srv → /dev/sda1 → "
		"sda → "
		"0000:06:00.0); 0000:06:00.0 holds /srv (/srv → /dev/sda1 → sda → 0000:06:00.0)" },
	{ "loop-file-of-the-other-disk",
		SATA "block loop0 7:0 file=/srv/image.raw\nmount 8:1 /dev/sda1 /srv\nmount 7:0 "
		     "/dev/loop0 /mnt\n",
		"0000:07:00.0", FREE, NOT_NEEDED },
	{ "loop-in-a-circle",
		SATA "block loop0 7:0 file=/mnt/image.raw\nmount 7:0 /dev/loop0 /mnt\n",
		"0000:06:00.0", FREE, NOT_NEEDED },
	{ "btrfs-without-a-number", SATA "mount 0:35 /dev/sdb1 /home\n", "0000:07:00.0", REFUSED,
		"0000:07:00.0 holds /home (/home → /dev/sdb1 → sdb → 0000:07:00.0)" },
	{ "btrfs-on-lvm",
		SATA
		"block dm-3 254:3 on=sdb1 mapper=vg-home\nmount 0:35 /dev/mapper/vg-home /home\n",
		"0000:07:00.0", REFUSED,
		"0000:07:00.0 holds /home (/home → /dev/mapper/vg-home → dm-3 → sdb1 → sdb → "
		"0000:07:00.0)" },
	{ "bcachefs", SATA "mount 0:35 /dev/sda1:/dev/sdb1 /home\n", "0000:07:00.0", REFUSED,
		"0000:07:00.0 holds /home (/home → /dev/sdb1 → sdb → 0000:07:00.0)" },
	{ "signature", SATA "block sdc 8:32 pci=0000:07:00.0 has=zfs_member\n", "0000:07:00.0",
		REFUSED, "0000:07:00.0 has zfs_member on sdc (zfs_member → sdc → 0000:07:00.0)" },
	{ "claimed", SATA "block sdc 8:32 pci=0000:07:00.0 has=ext4 claim=/etc/fstab\n",
		"0000:07:00.0", REFUSED,
		"0000:07:00.0 has sdc, named in /etc/fstab (sdc → 0000:07:00.0)" },
	{ "claimed-and-mounted",
		SATA "block sdc 8:32 pci=0000:07:00.0 claim=/etc/fstab\nmount 8:32 /dev/sdc /x\n",
		"0000:07:00.0", REFUSED, "0000:07:00.0 holds /x (/x → /dev/sdc → 0000:07:00.0)" },
	{ "nfs", SATA "mount 0:50 server:/export /mnt\n", "0000:07:00.0", FREE, NOT_NEEDED },
	{ "nvme-of-two-paths",
		"dev 0000:04:00.0 010802\ndev 0000:05:00.0 010802\nblock nvme0 - pci=0000:04:00.0\n"
		"block nvme1 - pci=0000:05:00.0\nblock nvme0n1 259:0 on=nvme0 on=nvme1\n"
		"block nvme0n1p1 259:1 parent=nvme0n1\nmount 259:1 /dev/nvme0n1p1 /\n",
		"0000:05:00.0", REFUSED,
		"0000:05:00.0 holds / (/ → /dev/nvme0n1p1 → nvme0n1 → nvme1 → 0000:05:00.0)" },
	{ "idle-nvme-of-two-paths",
		"dev 0000:04:00.0 010802\nblock nvme0 - pci=0000:04:00.0\nblock nvme0n1 259:0 "
		"on=nvme0\n",
		"0000:04:00.0", FREE, NOT_NEEDED },
	{ "behind-a-volume-controller",
		"dev 0000:00:0e.0 010400 driver=vmd\ndev 10000:e0:06.0 060400 parent=0000:00:0e.0\n"
		"dev 10000:e1:00.0 010802 parent=10000:e0:06.0\nblock nvme0n1 259:0 "
		"pci=10000:e1:00.0\n"
		"mount 259:0 /dev/nvme0n1 /\n",
		"0000:00:0e.0", REFUSED,
		"0000:00:0e.0 holds / (/ → /dev/nvme0n1 → 10000:e1:00.0 → 10000:e0:06.0 → "
		"0000:00:0e.0)" },
	{ "usb-stick",
		"dev 0000:00:14.0 0c0330 driver=xhci_hcd\nblock sda 8:0 pci=0000:00:14.0\n"
		"block sda1 8:1 pci=0000:00:14.0 parent=sda\nmount 8:1 /dev/sda1 /boot\n",
		"0000:00:14.0", REFUSED,
		"0000:00:14.0 holds /boot (/boot → /dev/sda1 → sda → 0000:00:14.0)" },
	/* companions */
	{ "companion-holds-root",
		"dev 0000:01:00.0 020000 group=1\ndev 0000:01:00.1 010601 group=1\n"
		"block sda 8:0 pci=0000:01:00.1\nmount 8:0 /dev/sda /\n",
		"0000:01:00.0", REFUSED, "0000:01:00.1 holds / (/ → /dev/sda → 0000:01:00.1)" },
	{ "its-bridge-stays-behind",
		"dev 0000:00:01.0 060400 group=1 driver=pcieport\ndev 0000:01:00.0 030000 "
		"group=1\n",
		"0000:01:00.0", FREE, NOT_NEEDED },
	{ "beside-the-isa-bridge",
		"dev 0000:00:1f.0 060100 group=8\ndev 0000:00:1f.3 040300 group=8\n",
		"0000:00:1f.3", REFUSED,
		"0000:00:1f.0 is the ISA bridge (class 060100 → 0000:00:1f.0)" },
	{ "function-of-it-is-in-use",
		"dev 0000:05:00.0 020000\ndev 0000:05:10.0 020000 pf=0000:05:00.0\nnet eth5 "
		"pci=0000:05:10.0\n"
		"route eth5\n",
		"0000:05:00.0", REFUSED,
		"0000:05:10.0 carries the default route (default route → eth5 → 0000:05:10.0)" },
	{ "function-beside-a-busy-one",
		"dev 0000:05:00.0 020000\ndev 0000:05:10.0 020000 pf=0000:05:00.0\n"
		"dev 0000:05:10.2 020000 pf=0000:05:00.0\nnet eth5 pci=0000:05:10.0\nroute eth5\n",
		"0000:05:10.2", FREE, NOT_NEEDED },
	/* network */
	{ "nic", NICS "route eth0\n", "0000:01:00.0", REFUSED,
		"0000:01:00.0 carries the default route (default route → eth0 → 0000:01:00.0)" },
	{ "other-nic", NICS "route eth0\n", "0000:02:00.0", FREE, NOT_NEEDED },
	{ "v6-only", NICS "route eth1 v6\n", "0000:02:00.0", REFUSED,
		"0000:02:00.0 carries the default route of IPv6 (default route of IPv6 → eth1 → "
		"0000:02:00.0)" },
	{ "bridge", NICS "net br0 virtual on=eth0 on=vnet0\nnet vnet0 virtual\nroute br0\n",
		"0000:01:00.0", REFUSED,
		"0000:01:00.0 carries the default route (default route → br0 → eth0 → "
		"0000:01:00.0)" },
	{ "vlan-on-bond",
		NICS
		"net bond0 virtual on=eth0 on=eth1\nnet bond0.7 virtual on=bond0\nroute bond0.7\n",
		"0000:02:00.0", REFUSED,
		"0000:02:00.0 carries the default route (default route → bond0.7 → bond0 → eth1 → "
		"0000:02:00.0)" },
	{ "open-vswitch", NICS "net br-ex virtual\nnet ovs-system virtual on=eth1\nroute br-ex\n",
		"0000:02:00.0", REFUSED,
		"0000:02:00.0 carries the default route (default route → br-ex → ovs-system → eth1 "
		"→ "
		"0000:02:00.0)" },
	{ "open-vswitch-other-nic",
		NICS "net br-ex virtual\nnet ovs-system virtual on=eth1\nroute br-ex\n",
		"0000:01:00.0", FREE, NOT_NEEDED },
	{ "route-into-nowhere", NICS "net wg0 virtual\nroute wg0\n", "0000:01:00.0", UNKNOWN,
		"0000:01:00.0 may carry the default route: wg0 stands on no known device" },
	{ "route-over-no-pci", NICS "net usb0\nroute usb0\n", "0000:01:00.0", FREE, NOT_NEEDED },
	{ "bridge-in-a-circle", NICS "net a virtual on=b\nnet b virtual on=a\nroute a\n",
		"0000:01:00.0", UNKNOWN,
		"0000:01:00.0 may carry the default route: a stands on no known device" },
	{ "usb-nic", "dev 0000:00:14.0 0c0330\nnet eth0 pci=0000:00:14.0\nroute eth0\n",
		"0000:00:14.0", REFUSED,
		"0000:00:14.0 carries the default route (default route → eth0 → 0000:00:14.0)" },
	{ "storage-network", NICS "route eth0\nroute eth1 use=NFS peer=10.0.0.5\n", "0000:02:00.0",
		REFUSED, "0000:02:00.0 carries NFS (10.0.0.5 → eth1 → 0000:02:00.0)" },
	{ "two-peers-one-reason",
		NICS "route eth1 use=NFS peer=10.0.0.5\nroute eth1 use=NFS peer=10.0.0.6\n",
		"0000:02:00.0", REFUSED,
		"0000:02:00.0 carries NFS (10.0.0.5 → eth1 → 0000:02:00.0)" },
	{ "a-peer-in-a-container",
		NICS "net docker0 virtual inner\nroute docker0 use=NFS peer=172.17.0.2\n",
		"0000:02:00.0", FREE, NOT_NEEDED },
	{ "a-peer-beyond-a-tunnel",
		NICS "net wg0 virtual\nroute eth0\nroute wg0 use=NFS peer=10.9.0.2\n",
		"0000:02:00.0", UNKNOWN,
		"0000:02:00.0 may carry NFS: wg0 stands on no known device" },
	/* display */
	{ "boot-display", "dev 0000:00:02.0 030000 boot\n", "0000:00:02.0", REFUSED,
		"0000:00:02.0 is the boot display, and there is no other console (boot_vga → "
		"0000:00:02.0)" },
	{ "boot-display-and-console", "console\ndev 0000:00:02.0 030000 boot\n", "0000:00:02.0",
		FREE, NOT_NEEDED },
	{ "second-display", "dev 0000:00:02.0 030000 boot\ndev 0000:01:00.0 030000\n",
		"0000:01:00.0", FREE, NOT_NEEDED },
	{ "audio-of-the-boot-display", "dev 0000:01:00.0 030000 boot\ndev 0000:01:00.1 040300\n",
		"0000:01:00.1", REFUSED,
		"0000:01:00.0 is the boot display, and there is no other console (boot_vga → "
		"0000:01:00.0)" },
	{ "bmc-display", "console\ndev 0000:01:00.0 030000 vendor=1a03 device=2000\n",
		"0000:01:00.0", REFUSED,
		"0000:01:00.0 is a function of the management controller (class 030000 → "
		"0000:01:00.0)" },
	{ "matrox-of-a-server", "console\ndev 0000:01:00.0 030000 vendor=102b device=0534\n",
		"0000:01:00.0", REFUSED,
		"0000:01:00.0 is a function of the management controller (class 030000 → "
		"0000:01:00.0)" },
	{ "matrox-of-a-desktop", "console\ndev 0000:01:00.0 030000 vendor=102b device=0525\n",
		"0000:01:00.0", FREE, NOT_NEEDED },
	/* classes */
	{ "host-bridge", "dev 0000:00:00.0 060000\n", "0000:00:00.0", REFUSED,
		"0000:00:00.0 is a host bridge (class 060000 → 0000:00:00.0)" },
	{ "isa-bridge", "dev 0000:00:1f.0 060100\n", "0000:00:1f.0", REFUSED,
		"0000:00:1f.0 is the ISA bridge (class 060100 → 0000:00:1f.0)" },
	{ "pci-bridge", "dev 0000:00:1c.0 060400\n", "0000:00:1c.0", REFUSED,
		"0000:00:1c.0 is a PCI bridge (class 060400 → 0000:00:1c.0)" },
	{ "other-bridge", "dev 0000:00:1f.1 068000\n", "0000:00:1f.1", REFUSED,
		"0000:00:1f.1 is a bridge (class 068000 → 0000:00:1f.1)" },
	{ "memory", "dev 0000:00:14.2 050000\n", "0000:00:14.2", REFUSED,
		"0000:00:14.2 is a memory controller (class 050000 → 0000:00:14.2)" },
	{ "smbus", "dev 0000:00:1f.4 0c0500\n", "0000:00:1f.4", REFUSED,
		"0000:00:1f.4 is the SMBus controller (class 0c0500 → 0000:00:1f.4)" },
	{ "iommu", "dev 0000:00:00.2 080600\n", "0000:00:00.2", REFUSED,
		"0000:00:00.2 is the IOMMU (class 080600 → 0000:00:00.2)" },
	{ "system", "dev 0000:00:08.0 088000\n", "0000:00:08.0", REFUSED,
		"0000:00:08.0 is a system peripheral of the board (class 088000 → 0000:00:08.0)" },
	{ "ipmi", "dev 0000:01:00.4 0c0701\n", "0000:01:00.4", REFUSED,
		"0000:01:00.4 is the management controller's interface (class 0c0701 → "
		"0000:01:00.4)" },
	{ "card-reader", "dev 0000:02:00.0 080501\n", "0000:02:00.0", FREE, NOT_NEEDED },
	{ "tpm", "dev 0000:02:00.0 108000\nneed 0000:02:00.0 is the host's TPM\n", "0000:02:00.0",
		REFUSED, "0000:02:00.0 is the host's TPM (0000:02:00.0)" },
	{ "audio", "dev 0000:00:1f.3 040300\n", "0000:00:1f.3", FREE, NOT_NEEDED },
	/* what is not known */
	{ "storage-unknown", "no-blocks\ndev 0000:04:00.0 010802 driver=nvme\n", "0000:04:00.0",
		UNKNOWN,
		"0000:04:00.0 may hold a file system of the host: block devices could not be "
		"read" },
	{ "claims-unknown", "no-claims\ndev 0000:04:00.0 010802 driver=nvme\n", "0000:04:00.0",
		UNKNOWN,
		"0000:04:00.0 may have a disk of a domain, or one of /etc/fstab: not all that "
		"names disks could be read" },
	{ "inputs-unknown", "no-inputs\ndev 0000:00:14.0 0c0330\n", "0000:00:14.0", UNKNOWN,
		"0000:00:14.0 may have the last keyboard: input devices could not be read" },
	{ "unprobed",
		"dev 0000:06:00.0 010601\nblock sda 8:0 pci=0000:06:00.0\n"
		"block sda1 8:1 pci=0000:06:00.0 parent=sda unprobed\n",
		"0000:06:00.0", UNKNOWN,
		"0000:06:00.0 may hold a file system of the host: udev has not looked at sda1 "
		"(sda1 → sda → 0000:06:00.0)" },
	{ "unprobed-and-mounted",
		"dev 0000:06:00.0 010601\nblock sda 8:0 pci=0000:06:00.0\n"
		"block sda1 8:1 pci=0000:06:00.0 parent=sda unprobed\nmount 8:1 /dev/sda1 /\n",
		"0000:06:00.0", REFUSED,
		"0000:06:00.0 holds / (/ → /dev/sda1 → sda → 0000:06:00.0)" },
	{ "class-unknown", "dev 0000:01:00.0 -\n", "0000:01:00.0", UNKNOWN,
		"0000:01:00.0 may be anything: what it is could not be read" },
	{ "network-unknown", "no-routes\ndev 0000:01:00.0 020000\n", "0000:01:00.0", UNKNOWN,
		"0000:01:00.0 may carry the host's network: routes could not be read" },
	{ "usb-unknown", "no-routes\ndev 0000:00:14.0 0c0330\n", "0000:00:14.0", UNKNOWN,
		"0000:00:14.0 may carry the host's network: routes could not be read" },
	{ "display-unknown", "no-boot-display\ndev 0000:01:00.0 030000\n", "0000:01:00.0", UNKNOWN,
		"0000:01:00.0 may be the boot display: it could not be read" },
	{ "display-unknown-and-console", "console\nno-boot-display\ndev 0000:01:00.0 030000\n",
		"0000:01:00.0", FREE, NOT_NEEDED },
	{ "audio-needs-no-blocks",
		"no-blocks\nno-routes\nno-boot-display\ndev 0000:01:00.1 040300\n", "0000:01:00.1",
		FREE, NOT_NEEDED },
	{ "unknown-companion",
		"no-blocks\ndev 0000:01:00.0 040300 group=1\ndev 0000:02:00.0 010601 group=1\n",
		"0000:01:00.0", UNKNOWN,
		"0000:02:00.0 may hold a file system of the host: block devices could not be "
		"read" },
	{ "off-host-already", "no-blocks\ndev 0000:04:00.0 010802 driver=vfio-pci\n",
		"0000:04:00.0", FREE, NOT_NEEDED },
	/* its driver is gone while its remove() hangs */
	{ "no-driver-says-nothing", "no-blocks\ndev 0000:04:00.0 010802\n", "0000:04:00.0", UNKNOWN,
		"0000:04:00.0 may hold a file system of the host: block devices could not be "
		"read" },
	{ "refused-and-unknown",
		"no-blocks\ndev 0000:04:00.0 010802 group=1\ndev 0000:00:1f.0 060100 group=1\n",
		"0000:04:00.0", REFUSED,
		"0000:00:1f.0 is the ISA bridge (class 060100 → 0000:00:1f.0); 0000:04:00.0 may "
		"hold a file "
		"system of the host: block devices could not be read" },
};

static void test_row(const void *data)
{
	const GuardRow *row = data;
	g_autoptr(UsherInventory) inventory = inventory_of_text(row->world);
	const UsherDevice *device = usher_inventory_find_text(inventory, row->device);
	g_autoptr(UsherGuardResult) result = usher_guard_judge(inventory, device);
	g_autofree char *sentence = usher_guard_explain(result);
	g_assert_cmpstr(sentence, ==, row->sentence);
	g_assert_cmpuint(result->verdict, ==, row->verdict);
	/* The preview in the inventory is the same judgement. */
	g_autofree char *preview = usher_guard_explain(device->guard);
	g_assert_cmpstr(preview, ==, sentence);
	g_assert_cmpuint(device->guard->verdict, ==, row->verdict);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *path = g_strconcat("/guard/", rows[i].name, NULL);
		g_test_add_data_func(path, &rows[i], test_row);
	}
	return g_test_run();
}
