/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A model of the Linux kernel's PCI driver core, as far as a device's way to a guest goes, behind
 * ports/host.h. What it promises, and the errno with which it refuses:
 *
 * - driver_override: any text is taken; empty clears it. It binds and unbinds nothing.
 * - unbind: ENODEV unless the device is bound to that very driver. Of a device that a guest has
 *   open through vfio it does not return until the guest lets go.
 * - drivers_probe: with an override only that driver may bind; without one the driver that knows
 *   the device's id, if it is loaded; vfio-pci knows no ids. A bound device is left alone. Where
 *   no driver takes the device, nothing happens and nothing is refused: reading back tells.
 * - vfio-pci binds only when its module is loaded, and refuses a PF with VFs (EBUSY).
 * - a group is viable when each member that is no bridge is bound to vfio-pci or to nothing;
 *   opening a group that is not is EBUSY, opening one that another guest has is EBUSY.
 *
 * On top of it the steps behave as ports/host.h says: already true succeeds, another device at
 * the address is CONFLICT, none is NOT_FOUND, and each write is read back.
 */
#include "fakes/faults.h"
#include "ports/clock.h"
#include "ports/host.h"

typedef struct FakeHost FakeHost;

FakeHost *fake_host_new(UsherClock *clock, FakeFaults *faults);
void fake_host_free(FakeHost *fake);
UsherHost *fake_host_port(FakeHost *fake);

/* Adds a device bound to native (the driver that knows its id; NULL: none does). iommu_group −1: it
 * has none. ids: "8086:10d3:020000". */
void fake_host_add(FakeHost *fake, const char *address, const char *ids, const char *native,
	int64_t iommu_group);
void fake_host_remove(FakeHost *fake, const char *address);
/* What it has now and after each boot: a host whose configuration binds it to vfio-pci, say. */
void fake_host_set_home(
	FakeHost *fake, const char *address, const char *driver, const char *override);
/* Another boot: every device has what it had when it was added, nothing is open or in flight. */
void fake_host_reboot(FakeHost *fake);
/* The root file system lies on the device. */
void fake_host_mount_root(FakeHost *fake, const char *address);
bool fake_host_has(FakeHost *fake, const char *address);
/* As it was added: "8086:10d3:020000". NULL: no such device. */
const char *fake_host_ids(FakeHost *fake, const char *address);
/* Its driver and override, NULL: none, or no such device. */
const char *fake_host_driver(FakeHost *fake, const char *address);
const char *fake_host_override(FakeHost *fake, const char *address);
/* It has the driver and override that it has after a boot, or is not there. */
bool fake_host_is_home(FakeHost *fake, const char *address);
/* All addresses, sorted. Given. */
GPtrArray *fake_host_addresses(FakeHost *fake);
/* Tells the watcher. */
void fake_host_event(FakeHost *fake);
/* See fake_events_disturb. */
void fake_host_disturb_events(FakeHost *fake, unsigned one_in);
/* What a node must never do and did, in a sentence; NULL: nothing. */
const char *fake_host_violation(FakeHost *fake);

/* What a hypervisor does: opens the device for the user; 0, or the errno. */
int fake_host_open(FakeHost *fake, const char *address, const char *user);
void fake_host_close(FakeHost *fake, const char *address);
const char *fake_host_user(FakeHost *fake, const char *address);
/* The hypervisor has told of it: who writes to the device from now on knows better. */
void fake_host_note_user(FakeHost *fake, const char *address);
