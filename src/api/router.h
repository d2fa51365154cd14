/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The router: a request's text and who sends it in, an answer out. It knows the routes and the
 * rules that hold for all of them — roles, limits, strict queries, preconditions, errors — and no
 * socket. Main thread.
 */
#include "api/auth.h"
#include "api/message.h"
#include "cluster/cluster.h"

typedef struct UsherRouter UsherRouter;

/* cluster and clock are borrowed, auth is given. */
UsherRouter *usher_router_new(UsherCluster *cluster, UsherClock *clock, UsherAuth *auth);
void usher_router_free(UsherRouter *router);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherRouter, usher_router_free)

/* What can be said before the body is there: the refusal, or NULL. */
UsherHttpResponse *usher_router_admit(const UsherRouter *router, const UsherHttpRequest *request);
UsherHttpResponse *usher_router_answer(const UsherRouter *router, const UsherHttpRequest *request);
bool usher_router_is_trusted(const UsherRouter *router, const UsherPeer *peer);

/* One line a route: "METHOD PATTERN query,query". Given to the caller. */
char *usher_router_print_routes(void);
