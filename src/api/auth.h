/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Who may do what: a peer's role. Pure but for the one look-up of the group's number. */
#include "api/message.h"

typedef enum {
	USHER_ROLE_NOBODY,
	USHER_ROLE_ADMIN,
} UsherRole;

typedef struct UsherAuth {
	char *admin_group;
	bool has_admin_gid;
	uint32_t admin_gid;
} UsherAuth;

/* Members of the group are admins, beside uid 0; a host without that group has only uid 0. May
 * block as long as the name service does: at start only. */
UsherAuth *usher_auth_new(const char *admin_group);
void usher_auth_free(UsherAuth *auth);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherAuth, usher_auth_free)

UsherRole usher_auth_role(const UsherAuth *auth, const UsherPeer *peer);
/* DENIED unless the peer has that role. */
bool usher_auth_allows(
	const UsherAuth *auth, const UsherPeer *peer, UsherRole least, GError **error);
