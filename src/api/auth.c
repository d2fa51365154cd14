/* SPDX-License-Identifier: Apache-2.0 */
#include "api/auth.h"

#include <grp.h>

#include "base/error.h"

UsherAuth *usher_auth_new(const char *admin_group)
{
	UsherAuth *auth = g_new0(UsherAuth, 1);
	const struct group *group = getgrnam(admin_group);
	auth->admin_group = g_strdup(admin_group);
	auth->has_admin_gid = group != NULL;
	auth->admin_gid = group != NULL ? group->gr_gid : 0;
	return auth;
}

void usher_auth_free(UsherAuth *auth)
{
	if (auth == NULL)
		return;
	g_free(auth->admin_group);
	g_free(auth);
}

static bool is_member(const UsherPeer *peer, uint32_t gid)
{
	if (peer->gid == gid)
		return true;
	for (unsigned i = 0; i < peer->groups->len; i++) {
		if (g_array_index(peer->groups, uint32_t, i) == gid)
			return true;
	}
	return false;
}

UsherRole usher_auth_role(const UsherAuth *auth, const UsherPeer *peer)
{
	if (peer->uid == 0)
		return USHER_ROLE_ADMIN;
	if (auth->has_admin_gid && is_member(peer, auth->admin_gid))
		return USHER_ROLE_ADMIN;
	return USHER_ROLE_NOBODY;
}

bool usher_auth_allows(
	const UsherAuth *auth, const UsherPeer *peer, UsherRole least, GError **error)
{
	if (usher_auth_role(auth, peer) >= least)
		return true;
	usher_error_set(error, USHER_ERROR_DENIED,
		"uid %u may not speak to usherd: it takes root or a member of the group '%s'",
		peer->uid, auth->admin_group);
	return false;
}
