/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The doctor for a guest: what in its definition stands in the way of devices. A pure function. */
#include "core/doctor/finding.h"

/* What a hypervisor tells of a guest's definition. */
typedef struct UsherGuestHealth {
	char *name;
	char *machine;      /* "pc-q35-7.2"; NULL: unknown */
	bool has_efi;       /* its firmware is UEFI */
	bool secure_boot;   /* which loads only what is signed */
	int64_t ports;      /* PCIe root ports */
	int64_t free_ports; /* with nothing behind them */
	int64_t memory_kb;
	int64_t host_memory_kb; /* USHER_INT_NULL: unknown */
	int64_t hostdevs;       /* devices of the host in the definition itself */
	bool autostart;         /* the hypervisor starts it at boot by itself */
	char *cpu_mode;         /* "host-passthrough"; NULL: the hypervisor's default */
	bool has_display;       /* a virtual one */
	bool has_serial;        /* a serial console */
	bool has_agent;         /* a channel to a guest agent */
	bool has_network;
} UsherGuestHealth;
USHER_RECORD_DECLARE(UsherGuestHealth, usher_guest_health)

/* Of UsherFinding, their subject is "domain/NAME"; given. */
GPtrArray *usher_doctor_examine_guest(const UsherGuestHealth *guest);
