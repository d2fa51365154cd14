/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A model of the Linux kernel's PCI driver core, as far as a device's way to a guest goes,
 * behind ports/host.h. tests/contract/host.c holds it against a real kernel. What it promises,
 * and the errno with which it refuses:
 *
 * - driver_override: a text of at most a page (EINVAL), nothing clears it. It binds and unbinds
 *   nothing. Who is removed and found again has none.
 * - unbind: of a device that a guest has open through vfio it does not return until the guest
 *   lets go. The link to the driver is gone from the start.
 * - bind, to a driver by name: ENODEV unless it matches. With an override only that driver does;
 *   without one the driver that knows the device's id; vfio-pci knows no ids.
 * - vfio-pci refuses a function with virtual ones (EBUSY) and one without an IOMMU group
 *   (EINVAL); every other driver is refused where a guest has something of the group open
 *   (EBUSY).
 * - loading a module binds each device to it that has no driver and matches.
 * - virtual functions (only how many there are): 0→n only from 0 (EBUSY), at most the total
 *   (ERANGE), and by the host's own driver alone (ENOENT). They outlive its unbinding.
 * - opening: ENOENT unless something of the group is bound to vfio-pci, EBUSY when another guest
 *   has something of it open, EPERM when a member is bound to anything but vfio-pci, ENODEV when
 *   the device itself is not bound to vfio-pci.
 * - a device that is pulled out while a guest has it open has no driver from then on, but stays
 *   until the guest lets go. Meanwhile, as while a write to it hangs, its lock is taken: its
 *   override cannot be read, and who writes to it waits.
 * - while a bind hangs, the link already points to the new driver.
 *
 * On top of it the steps behave as ports/host.h says and as usher-helper does it: already true
 * succeeds, another device at the address is CONFLICT, none is NOT_FOUND, another driver than
 * the one to unbind from is CONFLICT, one in the way of a bind is BUSY; what the kernel refuses
 * is HOST, or BUSY for EBUSY.
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
/* It can have so many virtual functions. */
void fake_host_set_total_vfs(FakeHost *fake, const char *address, unsigned n);
/* Pulls it out. */
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

/* What an administrator does: writes sriov_numvfs; 0, or the errno. */
int fake_host_set_vfs(FakeHost *fake, const char *address, unsigned n);

/* What a hypervisor does: opens the device for the user; 0, or the errno. */
int fake_host_open(FakeHost *fake, const char *address, const char *user);
void fake_host_close(FakeHost *fake, const char *address);
const char *fake_host_user(FakeHost *fake, const char *address);
/* The hypervisor has told of it: who writes to the device from now on knows better. */
void fake_host_note_user(FakeHost *fake, const char *address);
