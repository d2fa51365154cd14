/* SPDX-License-Identifier: Apache-2.0 */
#include "contract/host-bed.h"

#include "base/text.h"
#include "fakes/clock.h"
#include "fakes/faults.h"
#include "fakes/host.h"

typedef struct FakeBed {
	HostBed base;
	UsherClock *clock;
	FakeFaults faults;
	FakeHost *fake;
} FakeBed;

static FakeHost *fake_of(HostBed *bed)
{
	return ((FakeBed *) bed)->fake;
}

static int open_device(HostBed *bed, const char *address, const char *user)
{
	return fake_host_open(fake_of(bed), address, user);
}

static void close_device(HostBed *bed, const char *address)
{
	fake_host_close(fake_of(bed), address);
}

static int set_vfs(HostBed *bed, const char *address, const char *number)
{
	uint32_t n;
	g_assert_true(usher_text_parse_u32(number, UINT16_MAX, &n, NULL));
	return fake_host_set_vfs(fake_of(bed), address, n);
}

static void plug(HostBed *bed)
{
	fake_host_add(fake_of(bed), PLUGGED, NIC_IDS, "e1000e", 21);
}

static void unplug(HostBed *bed)
{
	fake_host_remove(fake_of(bed), PLUGGED);
}

static void rescan(HostBed *bed, const char *address)
{
	g_assert_cmpstr(address, ==, NIC);
	fake_host_remove(fake_of(bed), address);
	fake_host_add(fake_of(bed), NIC, NIC_IDS, "e1000e", 14);
}

static void pass(HostBed *bed, unsigned ms)
{
	fake_clock_advance(((FakeBed *) bed)->clock, ms * G_TIME_SPAN_MILLISECOND);
}

static void free_bed(HostBed *bed)
{
	FakeBed *self = (FakeBed *) bed;
	fake_host_free(self->fake);
	fake_clock_free(self->clock);
	g_free(self);
}

static const HostBedOps ops = {
	.name = "fake",
	.open = open_device,
	.close = close_device,
	.set_vfs = set_vfs,
	.plug = plug,
	.unplug = unplug,
	.rescan = rescan,
	.pass = pass,
	.free = free_bed,
};

HostBed *host_bed_fake_new(void)
{
	FakeBed *self = g_new0(FakeBed, 1);
	self->base.ops = &ops;
	self->clock = fake_clock_new(1);
	self->fake = fake_host_new(self->clock, &self->faults);
	self->base.host = fake_host_port(self->fake);
	fake_host_add(self->fake, NIC, NIC_IDS, "e1000e", 14);
	fake_host_add(self->fake, "0000:02:00.0", NIC_IDS, "e1000e", 15);
	fake_host_add(self->fake, DISPLAY, DISPLAY_IDS, "bochs-drm", 16);
	fake_host_add(self->fake, AUDIO, AUDIO_IDS, "snd_hda_intel", 16);
	fake_host_add(self->fake, PF, PF_IDS, "nvme", 17);
	fake_host_set_total_vfs(self->fake, PF, 4);
	fake_host_add(self->fake, "0000:05:00.0", "8086:10c9:020000", "igb", 18);
	fake_host_add(self->fake, LONER, NIC_IDS, "e1000e", -1);
	return &self->base;
}
