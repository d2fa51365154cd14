/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A boot loader that can boot something once, as `bootctl set-oneshot`, `grub-reboot` and
 * `proxmox-boot-tool kernel pin --next-boot` do. All calls may be repeated, and may be cut off by
 * the power: then the default is the old one or the new one.
 */
#include <glib.h>
#include <stdbool.h>

typedef struct UsherBootLoaderPort UsherBootLoaderPort;

typedef struct UsherBootLoaderPortOps {
	const char *name;
	/* The next boot, and no other, has these words too. */
	bool (*arm)(UsherBootLoaderPort *loader, const GPtrArray *words, GError **error);
	/* From now on every boot has them. */
	bool (*keep)(UsherBootLoaderPort *loader, const GPtrArray *words, GError **error);
	/* No boot has them. */
	bool (*drop)(UsherBootLoaderPort *loader, GError **error);
	void (*free)(UsherBootLoaderPort *loader);
} UsherBootLoaderPortOps;

struct UsherBootLoaderPort {
	const UsherBootLoaderPortOps *ops;
};
