/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A device: one PCI function (later also a USB device) as usher knows it — its record id, what a
 * scan read about it, and what was derived from that. The same record in the inventory, in the
 * store and in `usher device list --json`. Pure values.
 */
#include "base/record.h"
#include "core/pci-addr.h"

typedef enum {
	USHER_DEVICE_PCI,
	USHER_DEVICE_USB,
} UsherDeviceKind;

typedef enum {
	USHER_DEVICE_UNTRACKED, /* null in JSON: no agent has reported it */
	USHER_DEVICE_HOST,      /* with its host driver, or with none */
	USHER_DEVICE_HELD,      /* bound to vfio-pci for guests, given to nobody */
	USHER_DEVICE_PREPARING,
	USHER_DEVICE_LEASED,
	USHER_DEVICE_RETURNING,
	USHER_DEVICE_FENCED, /* a kernel write to it has not come back */
	USHER_DEVICE_QUARANTINED,
	USHER_DEVICE_ABSENT,
	USHER_DEVICE_N_STATES,
} UsherDeviceState;

typedef enum {
	USHER_VERDICT_UNKNOWN,
	USHER_VERDICT_FREE,
	USHER_VERDICT_REFUSED,
} UsherVerdict;

/* One reason why the host needs a device: "holds the root file system", / → nvme0n1p2 → … */
typedef struct UsherGuardReason {
	char *device; /* address */
	char *why;
	GPtrArray *proof;
} UsherGuardReason;
USHER_RECORD_DECLARE(UsherGuardReason, usher_guard_reason)

typedef struct UsherGuardResult {
	unsigned verdict;   /* UsherVerdict */
	GPtrArray *reasons; /* of UsherGuardReason */
} UsherGuardResult;
USHER_RECORD_DECLARE(UsherGuardResult, usher_guard_result)

/* What tells who a device is, beside its ids; NULL: not readable or not there. */
typedef struct UsherDeviceFacts {
	char *serial; /* PCIe device serial number, "00-11-22-33-44-55-66-77"; of a USB device its own */
	char *path; /* the chain of bridges above it: "00:02.0/00.0" */
	char *uuid; /* NVIDIA's, readable under its driver */
	char *vpd_serial;
	char *mac;         /* the permanent one of its first network device */
	char *card;        /* record id of the first function of its slot */
	char *physical_id; /* of a virtual function: record id of its physical one */
	int64_t vf_index;  /* likewise: which one; USHER_INT_NULL: it is none */
} UsherDeviceFacts;
USHER_RECORD_DECLARE(UsherDeviceFacts, usher_device_facts)

/* A holder that is not ours. */
typedef struct UsherForeign {
	char *kind; /* "domain" */
	char *name;
} UsherForeign;
USHER_RECORD_DECLARE(UsherForeign, usher_foreign)

/* What can be done with it. */
typedef struct UsherPassthrough {
	char *whole;        /* "yes", "no" or "after-fix" */
	GPtrArray *vgpu;    /* of char * */
	GPtrArray *because; /* of char * */
} UsherPassthrough;
USHER_RECORD_DECLARE(UsherPassthrough, usher_passthrough)

/* The driver a device had before usher took it, to be put back. */
typedef struct UsherWas {
	char *address;
	char *driver;          /* NULL: none */
	char *driver_override; /* NULL: none */
	char *identity;        /* of the device that had it; NULL: not known */
} UsherWas;
USHER_RECORD_DECLARE(UsherWas, usher_was)

/* What only a USB device has. */
typedef struct UsherUsb {
	int64_t bus;
	char *port; /* "4.2"; "0" of a root hub */
	char *vendor_id, *model_id;
	char *serial;
	int64_t speed_mbps;           /* USHER_INT_NULL: unknown */
	char *version;                /* "2.00" */
	GPtrArray *interface_drivers; /* names, each once */
} UsherUsb;
USHER_RECORD_DECLARE(UsherUsb, usher_usb)

/* A mediated device that lives on it. */
typedef struct UsherMdev {
	char *uuid;
	char *type;
	int64_t iommu_group; /* USHER_INT_NULL: none */
} UsherMdev;
USHER_RECORD_DECLARE(UsherMdev, usher_mdev)

/* A type of mediated devices that it offers. */
typedef struct UsherMdevOffer {
	char *type; /* "i915-GVTg_V5_4" */
	char *name; /* "GRID T4-2A"; NULL: it has no better one */
	char *api;
	int64_t available; /* USHER_INT_NULL: unknown */
	char *description;
} UsherMdevOffer;
USHER_RECORD_DECLARE(UsherMdevOffer, usher_mdev_offer)

typedef struct UsherDevice {
	char *address;          /* "0000:01:00.0", "usb:1-4.2" */
	unsigned kind;          /* UsherDeviceKind */
	char *id;               /* "d-…", NULL without an agent's record */
	bool identity_partial;  /* not all that tells who it is could be read, or it is ambiguous */
	char *identity_problem; /* why nobody can say who it is; NULL: it is known */
	UsherDeviceFacts *facts;
	char *class_code; /* six hexadecimal digits */
	char *class_name;
	unsigned type; /* UsherDeviceType */
	char *vendor_id, *device_id, *subsystem_vendor_id, *subsystem_device_id, *revision;
	char *vendor, *device;
	char *slot_label, *serial;
	char *driver;
	char *driver_override;
	bool driver_override_unknown; /* it could not be read: NULL says nothing */
	int64_t iommu_group;          /* USHER_INT_NULL: none */
	int64_t numa_node;            /* USHER_INT_NULL: none or unknown */
	char *parent;                 /* the function it hangs below, NULL: on a root bus */
	GPtrArray *companions;        /* addresses */
	char *physical_function;
	GPtrArray *virtual_functions; /* addresses in VF order */
	int64_t sriov_total, sriov_active;
	GPtrArray *mdev_types;
	GPtrArray *mdev_offers; /* of UsherMdevOffer: the types again, with what is left of each */
	GPtrArray *mdevs;       /* of UsherMdev */
	bool boot_display;
	bool is_hub;       /* of USB, a root hub too */
	char *iommu_unit;  /* "dmar0" */
	GPtrArray *drm;    /* "card0", "renderD128" */
	GPtrArray *nets;   /* names of network devices */
	GPtrArray *blocks; /* names of disks */
	UsherUsb *usb;     /* NULL: it is no USB device */
	char *node;
	unsigned state; /* UsherDeviceState */
	char *lease;
	GPtrArray *groups;
	GPtrArray *foreign; /* of UsherForeign */
	UsherGuardResult *guard;
	UsherPassthrough *passthrough;
	char *reset_methods; /* space separated as the kernel says, NULL: none */
	UsherWas *was;       /* of a held device: what `device return` puts back */
	int n_sharers;       /* inventories that have it too, beside the first */
} UsherDevice;
USHER_RECORD_DECLARE(UsherDevice, usher_device)

/* Immutable ones are shared; whoever has one drops it. */
UsherDevice *usher_device_share(UsherDevice *device);
void usher_device_drop(UsherDevice *device);

/* The base class in DESIGN's words: "display", "network", …, "other". */
typedef enum {
	USHER_TYPE_OTHER,
	USHER_TYPE_STORAGE,
	USHER_TYPE_NETWORK,
	USHER_TYPE_DISPLAY,
	USHER_TYPE_MULTIMEDIA,
	USHER_TYPE_MEMORY,
	USHER_TYPE_BRIDGE,
	USHER_TYPE_SERIAL,
	USHER_TYPE_USB,
	USHER_TYPE_CRYPTO,
	USHER_TYPE_ACCELERATOR,
	USHER_N_TYPES,
} UsherDeviceType;

extern const char *const usher_device_type_names[USHER_N_TYPES + 1];
/* class_code as 24 bits. */
UsherDeviceType usher_device_type_of_class(uint32_t class_code);

const char *usher_device_state_name(UsherDeviceState state);
/* One step of the state table; UNTRACKED is no state of the table. */
bool usher_device_state_may_move(UsherDeviceState from, UsherDeviceState to);

/* The device is held and has this to be put back: on vfio-pci, or stuck on the way from there. */
bool usher_was_is_due(const UsherWas *was, const UsherDevice *device);
/* PCI functions by address, then USB devices. -1, 0, 1. */
int usher_device_compare(const UsherDevice *one, const UsherDevice *other);
/* vendor:device:class, as steps and former drivers carry it. Given. */
char *usher_device_identity(const UsherDevice *device);
/* It is about this device, not about another that was at its address before. */
bool usher_was_is_of(const UsherWas *was, const UsherDevice *device);
/* The 24 bits of a PCI function's class_code; 0 when it is missing. */
uint32_t usher_device_class(const UsherDevice *device);
/* A bridge or a chipset function that drivers share with the host: never bound, never given. */
bool usher_device_is_bridge(const UsherDevice *device);
