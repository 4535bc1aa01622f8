/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef ROUTES_H_INCLUDED_
#define ROUTES_H_INCLUDED_

struct server;

/** Has server->http hand every request to the function that answers it. */
void routes_set(struct server *server);

#endif
