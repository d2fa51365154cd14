/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which modules of this machine's kernel say that they could drive a device of it. */
#include "core/device.h"

/* Names, sorted; NULL: there is no index of modules, or it is no PCI function. Given. */
GPtrArray *usher_modules_for(const UsherDevice *device);
