/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* "May I pass this through?": every reason for and against, in sentences. A pure function. */
#include "core/inventory.h"

typedef struct UsherExplainReason {
	bool is_for; /* false: against */
	char *sentence;
} UsherExplainReason;

void usher_explain_reason_free(UsherExplainReason *reason);
/* Of UsherExplainReason, those against first; given. With no reason against it, it may be. */
GPtrArray *usher_explain_device(const UsherInventory *inventory, const UsherDevice *device);
/* Nothing speaks against it. */
bool usher_explain_is_yes(const GPtrArray *reasons);
