/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef ROUTES_H_INCLUDED_
#define ROUTES_H_INCLUDED_

struct loop;

/** Has loop->http hand every request to the function that answers it. */
void routes_set(struct loop *loop);

#endif
