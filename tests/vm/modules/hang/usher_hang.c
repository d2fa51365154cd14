/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver for QEMU's edu device whose remove() does not come back while the parameter "hang" is
 * set: what graphics drivers do with a process that holds them. The device's lock is held meanwhile.
 * As a module of the kernel it may be used under the GPL, version 2, as well.
 */
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/pci.h>
#include <linux/wait.h>

static bool hang;
static DECLARE_WAIT_QUEUE_HEAD(released);

static int set_hang(const char *text, const struct kernel_param *param)
{
	int result = param_set_bool(text, param);

	wake_up_all(&released);
	return result;
}

static const struct kernel_param_ops hang_ops = {
	.set = set_hang,
	.get = param_get_bool,
};
module_param_cb(hang, &hang_ops, &hang, 0644);

static int hang_probe(struct pci_dev *device, const struct pci_device_id *id)
{
	return 0;
}

static void hang_remove(struct pci_dev *device)
{
	wait_event(released, !READ_ONCE(hang));
}

static const struct pci_device_id hang_ids[] = { { PCI_DEVICE(0x1234, 0x11e8) }, {} };
MODULE_DEVICE_TABLE(pci, hang_ids);

static struct pci_driver hang_driver = {
	.name = "usher_hang",
	.id_table = hang_ids,
	.probe = hang_probe,
	.remove = hang_remove,
};
module_pci_driver(hang_driver);

MODULE_DESCRIPTION("A driver whose remove() hangs, for tests");
MODULE_LICENSE("GPL");
