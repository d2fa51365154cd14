/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the parts of bootfiles share. */
#include "host/bootfiles.h"

struct UsherBootFiles {
	int root;
	bool is_live;
};
