/* room.h: keeps count of the hold queue of this host (bw/room.h), off the message path.
 *
 * Layer:   daemon.
 * Threads: bw_room_run() is a thread of its own.
 */
#ifndef BW_DAEMON_ROOM_H
#define BW_DAEMON_ROOM_H

#include "daemon.h"

/* The first reading: before the first message, so that no limit is passed because nobody has counted yet. */
void bw_room_start(struct daemon *d);
/* Thread: reads, and tells. */
void *bw_room_run(void *daemon);

#endif
