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
/* It does not care for its power button. */
void fake_guest_ignore_button(FakeGuest *fake, const char *name);
void fake_guest_save(FakeGuest *fake, const char *name);
/* By another hand: off at once, devices let go, the watcher told. */
void fake_guest_destroy(FakeGuest *fake, const char *name);
/* By another hand: started without our devices. */
void fake_guest_start_plainly(FakeGuest *fake, const char *name);
/* The hypervisor goes away and comes back; domains run on. */
void fake_guest_set_away(FakeGuest *fake, bool is_away);
/* Everything is off, as after a reboot. */
void fake_guest_reboot(FakeGuest *fake);
/* The domain as it is, borrowed; NULL: there is none. */
const UsherGuestInfo *fake_guest_info(FakeGuest *fake, const char *name);
/* Names, sorted; borrowed in a given array. */
GPtrArray *fake_guest_names(FakeGuest *fake);
void fake_guest_event(FakeGuest *fake);
