/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order between threads that GLib promises, told to ThreadSanitizer.
 *
 * Debian's GLib is not instrumented and its locks are futexes of its own: the sanitizer would take
 * all that they protect for races. In our programs each function here stands before GLib's of that
 * name (ld --wrap). It says what GLib's documentation promises and no more: what threads share without
 * any of these is seen as before.
 */
#include <glib.h>

void __tsan_acquire(void *address);
void __tsan_release(void *address);

#define WRAP(type, name, ...) \
	type __real_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__)

WRAP(void, g_mutex_lock, GMutex *mutex)
{
	__real_g_mutex_lock(mutex);
	__tsan_acquire(mutex);
}

WRAP(void, g_mutex_unlock, GMutex *mutex)
{
	__tsan_release(mutex);
	__real_g_mutex_unlock(mutex);
}

WRAP(void, g_cond_wait, GCond *cond, GMutex *mutex)
{
	__tsan_release(mutex);
	__real_g_cond_wait(cond, mutex);
	__tsan_acquire(mutex);
}

WRAP(gboolean, g_cond_wait_until, GCond *cond, GMutex *mutex, gint64 end)
{
	__tsan_release(mutex);
	gboolean is_woken = __real_g_cond_wait_until(cond, mutex, end);
	__tsan_acquire(mutex);
	return is_woken;
}

/* What holders of a box did comes before it is cleared by the last of them. */
static __thread GDestroyNotify clear_of_mine;

static void clear_box(gpointer box)
{
	__tsan_acquire(box);
	clear_of_mine(box);
}

WRAP(void, g_atomic_rc_box_release_full, gpointer box, GDestroyNotify clear)
{
	GDestroyNotify outer = clear_of_mine;
	clear_of_mine = clear;
	__tsan_release(box);
	__real_g_atomic_rc_box_release_full(box, clear_box);
	clear_of_mine = outer;
}

/* What was done before a call was handed to the main loop comes before the call. */
typedef struct Handed {
	GSourceFunc func;
	gpointer data;
	GDestroyNotify destroy;
} Handed;

static gboolean call_handed(gpointer data)
{
	const Handed *handed = data;
	__tsan_acquire(data);
	return handed->func(handed->data);
}

static void destroy_handed(gpointer data)
{
	const Handed *handed = data;
	__tsan_acquire(data);
	if (handed->destroy != NULL)
		handed->destroy(handed->data);
	g_free(data);
}

WRAP(guint, g_idle_add_full, gint priority, GSourceFunc func, gpointer data, GDestroyNotify destroy)
{
	Handed *handed = g_new(Handed, 1);
	*handed = (Handed){ func, data, destroy };
	__tsan_release(handed);
	return __real_g_idle_add_full(priority, call_handed, handed, destroy_handed);
}
