/* SPDX-License-Identifier: Apache-2.0 */
/* Observations: host and guests, read by workers, one after the other. */
#include "node/private.h"

#include "base/error.h"
#include "base/log.h"

/* After one that failed, where no event will tell that the next one may not. */
#define FIRST_RETRY_US (500 * G_TIME_SPAN_MILLISECOND)
#define LAST_RETRY_US  (30 * G_TIME_SPAN_SECOND)
/* After one that did not: an event may have been lost. */
#define NEXT_US (60 * G_TIME_SPAN_SECOND)

typedef struct UsherLook {
	UsherNodeRef *ref;
	UsherNodePorts ports;
	uint64_t number;
	UsherInventory *seen;
	GPtrArray *guests;
	GError *host_error, *guest_error;
} UsherLook;

static void look_free(UsherLook *look)
{
	g_clear_pointer(&look->seen, usher_inventory_unref);
	g_clear_pointer(&look->guests, g_ptr_array_unref);
	g_clear_error(&look->host_error);
	g_clear_error(&look->guest_error);
	g_free(look);
}

static void look_at_guests(void *data)
{
	UsherLook *look = data;
	UsherGuest *guest = look->ports.guest;
	look->guests = guest->ops->list(guest, &look->guest_error);
}

static void look_at_host(void *data)
{
	UsherLook *look = data;
	UsherHost *host = look->ports.host;
	look->seen = host->ops->look(host, USHER_LOOK_CHANGES, &look->host_error);
}

static void begin(UsherNode *node);

static void observe_again(void *data)
{
	UsherNode *node = data;
	node->observe_timer = 0;
	(void) usher_node_observe(node);
}

static void plan_next(UsherNode *node, bool has_failed)
{
	UsherClock *clock = node->ports.clock;
	if (node->observe_timer != 0)
		clock->ops->cancel(clock, node->observe_timer);
	node->observe_wait =
		has_failed ? CLAMP(node->observe_wait * 2, FIRST_RETRY_US, LAST_RETRY_US) : 0;
	int64_t wait = has_failed ? node->observe_wait : NEXT_US;
	node->observe_timer = clock->ops->after(clock, wait, observe_again, node);
}

static void take_in(UsherNode *node, UsherLook *look)
{
	plan_next(node, look->seen == NULL || look->guests == NULL);
	bool was_there = node->guests != NULL || node->observation == 0;
	if (look->guests == NULL && was_there)
		usher_log(USHER_LOG_WARNING, NULL, "%s", look->guest_error->message);
	g_clear_pointer(&node->guests, g_ptr_array_unref);
	node->guests = g_steal_pointer(&look->guests);
	if (look->seen == NULL) {
		/* What was seen before is no ground for a decision. */
		usher_log(
			USHER_LOG_WARNING, NULL, "look at the host: %s", look->host_error->message);
		return;
	}
	g_clear_pointer(&node->seen, usher_inventory_unref);
	node->seen = g_steal_pointer(&look->seen);
	node->observation = look->number;
	usher_node_recognize(node);
}

static void guests_were_looked_at(void *data)
{
	UsherLook *look = data;
	UsherNode *node = usher_node_ref_drop(look->ref);
	if (node == NULL) {
		look_free(look);
		return;
	}
	take_in(node, look);
	look_free(look);
	node->is_observing = false;
	if (node->observe_again)
		begin(node);
	usher_node_look_again(node);
}

static void host_was_looked_at(void *data)
{
	UsherLook *look = data;
	if (look->ref->node == NULL) {
		(void) usher_node_ref_drop(look->ref);
		look_free(look);
		return;
	}
	UsherClock *clock = look->ports.clock;
	clock->ops->work(clock, "guest", look_at_guests, guests_were_looked_at, look);
}

static void begin(UsherNode *node)
{
	node->is_observing = true;
	node->observe_again = false;
	node->began++;
	UsherLook *look = g_new0(UsherLook, 1);
	look->ref = usher_node_ref_take(node);
	look->ports = node->ports;
	look->number = node->began;
	UsherClock *clock = node->ports.clock;
	clock->ops->work(clock, "look", look_at_host, host_was_looked_at, look);
}

uint64_t usher_node_observe(UsherNode *node)
{
	if (!node->is_observing) {
		begin(node);
		return node->began;
	}
	node->observe_again = true;
	return node->began + 1;
}
