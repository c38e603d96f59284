/* runner-stage.h: for tests of the agent's runner: a store, a queue of held messages, orders, and a clock.
 *
 * The MTA is an array: a message is held, out or dropped, and remembers when. The helper refuses what is not signed "good". */
#ifndef RUNNER_STAGE_H
#define RUNNER_STAGE_H

#include "store-kit.h"

#include "../../milter/agent/runner.h"

#define HOST "mx1"

enum { MESSAGES = 12 };

struct queue {
	enum { HELD, OUT, DROPPED } where;
	int times; /* it went out */
	int64_t at_ms;
	struct bw_hash mark; /* of the message that is held under this id */
};
extern struct queue queue[MESSAGES];
extern int64_t now_ms;
extern enum bw_err mta_says; /* instead of what it would do */
extern bool mta_forgets;     /* does it, and its answer is lost */
extern struct bw_store *store;
extern struct runner_tools tools;
extern struct runner *runner;
extern char archive_path[200];

int stage_set(void **state);
int stage_clear(void **state);
void hold_all(void);
void start_runner(void);
void stop_runner(void);
/* On the store's file. */
int64_t sql(const char *statement);

struct bw_hash id_of(int i);
const char *queue_id_of(int i);
struct bw_order_row row_of(uint8_t name, enum bw_order_kind kind, int64_t pace);
struct bw_order_item item_of(int64_t number, int message);
void put_order(const struct bw_order_row *row, const struct bw_order_item *items, size_t n);
/* An order about the messages `from` .. `to` - 1. */
void give(uint8_t name, enum bw_order_kind kind, int64_t pace, int from, int to);
void move(uint8_t name, enum bw_order_state from, enum bw_order_state to);
/* As it stands in the store now. */
struct bw_order_row seen(uint8_t name);
/* How many events of that kind have these words. */
int events(enum bw_event event, const char *part);
int count_where(int where);
/* Lets time go on until `end_ms`, as the agent does; how many steps there were. */
int run_until(int64_t end_ms);

#define RUNNER_TEST(function) cmocka_unit_test_setup_teardown(function, stage_set, stage_clear)

#endif
