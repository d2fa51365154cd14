/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the doctor is told of a host, beside its inventory: firmware, kernel, command line, modules,
 * memory, consoles. Read by host/health, then treated as const. NULL, USHER_FACT_UNKNOWN and
 * USHER_INT_NULL all mean that it could not be read, and never that there is none.
 */
#include "core/inventory.h"

typedef enum {
	USHER_FACT_UNKNOWN,
	USHER_FACT_NO,
	USHER_FACT_YES,
} UsherFact;

/* A part of an address space that a device asks for (a row of its `resource` file). */
typedef struct UsherPciBar {
	char *address;  /* of the device */
	unsigned index; /* 0–5 its BARs, 6 its ROM, from 7 those of its virtual functions */
	uint64_t bytes; /* 0: the kernel has dropped it and no longer says */
	bool is_assigned;
	bool is_64_bit;
} UsherPciBar;

/* A line of a file that configures modules. */
typedef struct UsherConfigLine {
	char *file; /* "/etc/modprobe.d/vfio.conf" */
	unsigned line;
	char *text; /* without a comment, trimmed */
} UsherConfigLine;

typedef struct UsherHostFacts {
	char *kernel;  /* release: "6.1.0-18-amd64" */
	char *cmdline; /* /proc/cmdline */

	char *cpu_vendor;             /* "GenuineIntel" */
	UsherFact cpu_virtualization; /* vmx or svm is among its flags */
	UsherFact is_guest;           /* so is "hypervisor" */

	UsherFact has_dmar, has_ivrs; /* ACPI tables: the firmware's own word on its IOMMU */
	int64_t dmar_flags;           /* bit 0: it offers interrupt remapping */
	UsherFact has_iommu;          /* the kernel uses one */
	bool reserved_known;          /* what memory the firmware keeps (reserved_regions) */
	UsherFact irqs_remapped;      /* some interrupt goes through the IOMMU */
	UsherFact unsafe_interrupts;  /* vfio_iommu_type1.allow_unsafe_interrupts */

	GHashTable *modules;    /* names, as the kernel writes them: loaded; NULL: unknown */
	GHashTable *builtins;   /* likewise: built into the kernel */
	GHashTable *available;  /* likewise: modules there are for this kernel */
	GHashTable *parameters; /* "i915.enable_gvt" → "Y"; only what the doctor knows of */
	GPtrArray *config;      /* of UsherConfigLine: /etc/modules, modules-load.d, modprobe.d */
	bool config_known;

	UsherFact is_efi, secure_boot;
	char *lockdown;          /* "none", "integrity", "confidentiality" */
	GPtrArray *framebuffers; /* platform drivers of the firmware's framebuffer that hold one */
	bool framebuffers_known;

	GPtrArray *bars; /* of UsherPciBar: of PCI functions that are no bridges */
	bool bars_known;

	char *nvidia;          /* the line of /proc/driver/nvidia/version */
	UsherFact nvidia_vgpu; /* its host driver for vGPUs is there */
	GPtrArray *mig_gpus;   /* addresses of those that have MIG instances */
	bool mig_known;
	UsherFact has_kvm;        /* /dev/kvm */
	int64_t memlock_bytes;    /* limit of who looks; INT64_MAX: none */
	int64_t memory_kb;        /* of the host */
	int64_t huge_2m, huge_1g; /* pages set aside */
	UsherFact serial_console; /* the kernel's console is also on a serial line */
	UsherFact has_bmc;        /* there is a management controller to talk with */
	UsherFact has_ssh;        /* a server listens */
} UsherHostFacts;

UsherHostFacts *usher_host_facts_new(void);
void usher_host_facts_free(UsherHostFacts *facts);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherHostFacts, usher_host_facts_free)
void usher_pci_bar_free(UsherPciBar *bar);
void usher_config_line_free(UsherConfigLine *line);

/* Version of the kernel's release as major × 1000 + minor; 0: unknown. */
unsigned usher_host_facts_kernel(const UsherHostFacts *facts);
/* A module is loaded or built in. */
UsherFact usher_host_facts_has_module(const UsherHostFacts *facts, const char *name);
/* NULL: unknown, or there is no such module or parameter. */
const char *usher_host_facts_parameter(const UsherHostFacts *facts, const char *name);
