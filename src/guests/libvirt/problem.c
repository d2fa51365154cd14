/* SPDX-License-Identifier: Apache-2.0 */
#include "guests/libvirt/problem.h"

#include <errno.h>

#include <libvirt/libvirt.h>

/* What is not here is HOST: the hypervisor refused. */
static const struct {
	int number;
	UsherErrorCode code;
} codes[] = {
	{ VIR_ERR_NO_DOMAIN, USHER_ERROR_NOT_FOUND },
	{ VIR_ERR_DEVICE_MISSING, USHER_ERROR_NOT_FOUND },
	{ VIR_ERR_NO_DOMAIN_METADATA, USHER_ERROR_NOT_FOUND },
	/* The state is another one than we saw, or another domain has the device. */
	{ VIR_ERR_OPERATION_INVALID, USHER_ERROR_CONFLICT },
	{ VIR_ERR_DOM_EXIST, USHER_ERROR_CONFLICT },
	{ VIR_ERR_OPERATION_ABORTED, USHER_ERROR_CONFLICT },
	/* Another job holds the domain, or a process will not end. */
	{ VIR_ERR_OPERATION_TIMEOUT, USHER_ERROR_BUSY },
	{ VIR_ERR_RESOURCE_BUSY, USHER_ERROR_BUSY },
	{ VIR_ERR_AGENT_UNRESPONSIVE, USHER_ERROR_BUSY },
	{ VIR_ERR_HOOK_SCRIPT_FAILED, USHER_ERROR_DENIED },
	{ VIR_ERR_OPERATION_DENIED, USHER_ERROR_DENIED },
	{ VIR_ERR_ACCESS_DENIED, USHER_ERROR_DENIED },
	{ VIR_ERR_AUTH_FAILED, USHER_ERROR_DENIED },
	{ VIR_ERR_AUTH_CANCELLED, USHER_ERROR_DENIED },
	{ VIR_ERR_AUTH_UNAVAILABLE, USHER_ERROR_DENIED },
	{ VIR_ERR_NO_MEMORY, USHER_ERROR_UNAVAILABLE },
	{ VIR_ERR_NO_CONNECT, USHER_ERROR_UNAVAILABLE },
	{ VIR_ERR_INVALID_CONN, USHER_ERROR_UNAVAILABLE },
	{ VIR_ERR_RPC, USHER_ERROR_UNAVAILABLE },
};

static void say_nothing(void *data G_GNUC_UNUSED, virErrorPtr problem G_GNUC_UNUSED)
{
}

void usher_libvirt_be_quiet(void)
{
	virSetErrorFunc(NULL, say_nothing);
}

static UsherErrorCode code_of(const virError *problem)
{
	if (problem == NULL)
		return USHER_ERROR_INTERNAL;
	if (problem->code == VIR_ERR_SYSTEM_ERROR && problem->int1 == EBUSY)
		return USHER_ERROR_BUSY;
	for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
		if (codes[i].number == problem->code)
			return codes[i].code;
	}
	return USHER_ERROR_HOST;
}

/* One line: QEMU's last words come with line ends. */
static char *dup_message(const virError *problem)
{
	const char *message = problem != NULL && problem->message != NULL ? problem->message
									  : "it gave no reason";
	char *line = g_utf8_make_valid(message, -1);
	g_strchomp(line);
	return g_strdelimit(line, "\r\n", ' ');
}

void usher_libvirt_problem(GError **error, virConnectPtr connection, const char *format, ...)
{
	if (error == NULL)
		return;
	const virError *problem = virGetLastError();
	UsherErrorCode code = code_of(problem);
	g_autofree char *message = dup_message(problem);
	/* Forgets the error. */
	if (connection != NULL && virConnectIsAlive(connection) != 1) {
		usher_error_set(
			error, USHER_ERROR_UNAVAILABLE, "libvirtd does not answer: %s", message);
		return;
	}
	va_list args;
	va_start(args, format);
	g_autofree char *what = g_strdup_vprintf(format, args);
	va_end(args);
	usher_error_set(error, code, "%s: %s", what, message);
}
