/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A hypervisor behind ports/guest.h: domains with a power button, that open their devices on the
 * fake host and are refused what libvirt and the kernel refuse.
 */
#include "fakes/host.h"
#include "ports/guest.h"

typedef struct FakeGuest FakeGuest;

FakeGuest *fake_guest_new(UsherClock *clock, FakeFaults *faults, FakeHost *host);
void fake_guest_free(FakeGuest *fake);
UsherGuest *fake_guest_port(FakeGuest *fake);

/* Defines a domain that is off. */
void fake_guest_define(FakeGuest *fake, const char *name, const char *uuid);
/* Only one that is off. */
void fake_guest_undefine(FakeGuest *fake, const char *name);
/* It does not care for its power button. */
void fake_guest_ignore_button(FakeGuest *fake, const char *name, bool ignores);
/* Its memory is saved and it is off; refused, as by libvirt, while it has devices. */
void fake_guest_save(FakeGuest *fake, const char *name);
void fake_guest_drop_save(FakeGuest *fake, const char *name);
/* It has crashed, and is kept as it is, devices and all, until it is powered off. */
void fake_guest_crash(FakeGuest *fake, const char *name);
/* By another hand: the device is taken out of the guest that has it. */
void fake_guest_eject(FakeGuest *fake, const char *address);
/* By another hand: off at once, devices let go, the watcher told. */
void fake_guest_destroy(FakeGuest *fake, const char *name);
/* By another hand: started without our devices; a saved memory is used up. */
void fake_guest_start_plainly(FakeGuest *fake, const char *name);
/* The hypervisor goes away and comes back; domains run on. */
void fake_guest_set_away(FakeGuest *fake, bool is_away);
/* Everything is off, as after a reboot. */
void fake_guest_reboot(FakeGuest *fake);
/* The domain as it is, borrowed; NULL: there is none. */
const UsherGuestInfo *fake_guest_info(FakeGuest *fake, const char *name);
/* Names, sorted; borrowed in a given array. */
GPtrArray *fake_guest_names(FakeGuest *fake);
/* Since it was started it was more than paused. */
bool fake_guest_has_run(FakeGuest *fake, const char *name);
/* The lease's devices were in a guest at some time. */
bool fake_guest_ever_had(FakeGuest *fake, const char *lease);
void fake_guest_event(FakeGuest *fake);
/* See fake_events_disturb. */
void fake_guest_disturb_events(FakeGuest *fake, unsigned one_in);
