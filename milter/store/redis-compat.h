/* redis-compat.h: hiredis as these files use it, 0.14 (Debian 12) and 1.x (Debian 13) alike. No other file asks for a version.
 *
 * Layer: store, inside the redis files only.
 *
 * What is used is the same in both: non-blocking contexts, the output buffer, the reply reader. Commands are written by
 * redis-exchange.c, so the differing redisFormatCommand functions are not needed.
 */
#ifndef BW_REDIS_COMPAT_H
#define BW_REDIS_COMPAT_H

#include <hiredis/hiredis.h>

#if HIREDIS_MAJOR == 0 && HIREDIS_MINOR < 14
#error "hiredis 0.14 or later is needed"
#endif

/* 1.x bounds the elements of an array by itself; 0.14 believes every header and lets calloc() refuse. */
#if HIREDIS_MAJOR >= 1
#define BW_REDIS_BOUND_ELEMENTS(context, n) ((context)->reader->maxelements = (n))
#else
#define BW_REDIS_BOUND_ELEMENTS(context, n) ((void)(context), (void)(n))
#endif

#endif
