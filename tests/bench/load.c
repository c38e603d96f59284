#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "bw/parse.h"

enum { EVENTS = 128, READ_BYTES = 65536, MS_NS = 1000000, SECOND_NS = 1000000000 };

enum phase { OPENING, WARMING, MEASURING, DRAINING };

struct client {
	struct bw_mta mta;
	int fd;
	bool wants_out; /* epoll is asked for room to write */
	bool busy;      /* a handshake or a message is on its way */
	bool idle;      /* of those that are to do nothing */
	int64_t sent;
	int64_t start_ns;
	size_t written; /* of mta.out */
};

struct bw_load {
	const struct bw_plan *plan;
	const struct bw_load_options *options;
	struct bw_load_result *result;
	struct bw_why *why;
	struct client *clients;
	size_t count;
	size_t *free, free_first, free_count; /* a ring of resting clients, for paced runs: all take turns */
	int epoll;
	enum phase phase;
	int64_t now_ns, limit_ns, phase_end_ns, window_ns, cpu_ns;
	int64_t due_ns;        /* of the next paced message */
	int64_t next;          /* message number */
	int64_t started, busy; /* of the connections that are measured; of all */
	char *bytes;
};

static int64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * SECOND_NS + t.tv_nsec;
}

/* CPU time of other processes, all threads, also of those that have ended: exact, where /proc/PID/stat counts ticks. */
static int64_t cpu_ns(const struct bw_load_options *o)
{
	int64_t sum = 0;

	for (size_t i = 0; i < o->pid_count; i++) {
		clockid_t id;
		struct timespec t;

		if (clock_getcpuclockid(o->pids[i], &id) == 0 && clock_gettime(id, &t) == 0)
			sum += (int64_t)t.tv_sec * SECOND_NS + t.tv_nsec;
	}
	return sum;
}

/* --- connecting --- */

static enum bw_err connect_unix(const char *path, int *fd, struct bw_why *why)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		return bw_fail(why, BW_ERR_RANGE, "%s: a socket's path has at most %zu bytes", path, sizeof(address.sun_path) - 1);
	bw_slice_copy(bw_slice_of(path), address.sun_path, sizeof(address.sun_path));
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0 || connect(*fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		return bw_fail(why, BW_ERR_IO, "%s: cannot connect: %s", path, strerror(errno));
	return BW_OK;
}

/* "PORT@HOST", HOST a numeric IPv4 address. */
static enum bw_err connect_inet(const char *text, int *fd, struct bw_why *why)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	const char *host = strchr(text, '@');
	int64_t port = 0;

	if (host == NULL || !bw_parse_int((struct bw_slice){ text, (size_t)(host - text) }, &port) || port < 1 || port > 65535 ||
	    inet_pton(AF_INET, host + 1, &address.sin_addr) != 1)
		return bw_fail(why, BW_ERR_INPUT, "inet:%s: PORT@ADDRESS with a numeric IPv4 address is expected", text);
	address.sin_port = htons((uint16_t)port);
	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0 || connect(*fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		return bw_fail(why, BW_ERR_IO, "inet:%s: cannot connect: %s", text, strerror(errno));
	return BW_OK;
}

static enum bw_err connect_to(const char *name, int *fd, struct bw_why *why)
{
	if (strncmp(name, "inet:", 5) == 0)
		return connect_inet(name + 5, fd, why);
	return connect_unix(strncmp(name, "unix:", 5) == 0 ? name + 5 : name, fd, why);
}

/* Waits for the listener's queue, then never again: from here on the loop does the waiting. */
static enum bw_err open_client(struct bw_load *l, size_t i)
{
	struct client *c = &l->clients[i];
	enum bw_err err = connect_to(l->options->socket, &c->fd, l->why);
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = i };

	if (err != BW_OK)
		return err;
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
		return bw_fail(l->why, BW_ERR_IO, "connection %zu: %s", i, strerror(errno));
	c->idle = i >= (size_t)l->options->connections;
	c->busy = true;
	l->busy++;
	return BW_OK;
}

/* --- writing --- */

static enum bw_err ask_for_room(struct bw_load *l, struct client *c, bool wanted)
{
	struct epoll_event event = { .events = EPOLLIN | (wanted ? EPOLLOUT : 0), .data.u64 = (uint64_t)(c - l->clients) };

	if (c->wants_out == wanted)
		return BW_OK;
	c->wants_out = wanted;
	if (epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &event) != 0)
		return bw_fail(l->why, BW_ERR_IO, "epoll: %s", strerror(errno));
	return BW_OK;
}

static void all_written(struct client *c)
{
	bw_buf_reset(&c->mta.out);
	c->written = 0;
	c->mta.flush = false;
}

/* Writes what has to leave, and what may follow it, until an answer or room is needed. */
static enum bw_err push(struct bw_load *l, struct client *c)
{
	for (;;) {
		bw_mta_fill(&c->mta);
		if (!c->mta.flush)
			return ask_for_room(l, c, false);
		if (c->mta.out.cut)
			return bw_fail(l->why, BW_ERR_LIMIT, "a step does not fit into the buffer, or memory is out");
		ssize_t n = send(c->fd, c->mta.out.p + c->written, c->mta.out.n - c->written, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return ask_for_room(l, c, true);
		if (n < 0)
			return bw_fail(l->why, BW_ERR_IO, "the milter hung up: %s", strerror(errno));
		c->written += (size_t)n;
		if (c->written == c->mta.out.n)
			all_written(c);
	}
}

/* --- messages --- */

static enum bw_err start(struct bw_load *l, struct client *c, int64_t due_ns)
{
	c->busy = true;
	c->start_ns = due_ns;
	c->sent++;
	l->started += !c->idle;
	l->busy++;
	bw_mta_start(&c->mta, l->next++);
	return push(l, c);
}

static bool is_paced(const struct bw_load *l)
{
	return l->options->rate > 0;
}

/* May this client begin one more message now? */
static bool may_start(const struct bw_load *l, const struct client *c)
{
	if (c->idle)
		return l->phase == OPENING && c->sent < l->options->idle_messages;
	if (l->options->messages > 0 && c->sent >= l->options->messages)
		return false;
	return l->phase == WARMING || l->phase == MEASURING;
}

static enum bw_err next_or_rest(struct bw_load *l, struct client *c)
{
	if (may_start(l, c) && (c->idle || !is_paced(l)))
		return start(l, c, l->now_ns);
	if (!c->idle)
		l->free[(l->free_first + l->free_count++) % l->count] = (size_t)(c - l->clients);
	return BW_OK;
}

/* The connection has come to rest: after the handshake, or after a message. */
static enum bw_err came_to_rest(struct bw_load *l, struct client *c)
{
	c->busy = false;
	l->busy--;
	if (c->sent > 0) {
		l->result->by_verdict[c->mta.verdict]++;
		l->now_ns = monotonic_ns();
		if (l->phase == MEASURING && !c->idle)
			bw_samples_add(&l->result->samples, l->now_ns - c->start_ns);
	}
	return next_or_rest(l, c);
}

static enum bw_err take(struct bw_load *l, struct client *c, struct bw_slice in)
{
	enum bw_err err = BW_OK;

	while (err == BW_OK && in.n > 0) {
		if (!bw_mta_take(&c->mta, &in))
			return bw_fail(l->why, BW_ERR_INPUT, "protocol: %s", c->mta.why);
		if (!c->mta.waiting)
			err = push(l, c);
		if (err == BW_OK && c->busy && c->mta.step == BW_MTA_REST)
			err = came_to_rest(l, c);
	}
	return err;
}

static enum bw_err handle(struct bw_load *l, const struct epoll_event *event)
{
	struct client *c = &l->clients[event->data.u64];
	enum bw_err err = (event->events & EPOLLOUT) != 0 ? push(l, c) : BW_OK;

	if (err != BW_OK || (event->events & ~(uint32_t)EPOLLOUT) == 0)
		return err;
	ssize_t n = recv(c->fd, l->bytes, READ_BYTES, 0);

	if (n > 0)
		return take(l, c, (struct bw_slice){ l->bytes, (size_t)n });
	if (n < 0 && errno == EAGAIN)
		return BW_OK;
	return bw_fail(l->why, BW_ERR_IO, "the milter hung up%s", c->busy ? " in the midst of a message" : "");
}

/* --- phases --- */

static void enter(struct bw_load *l, enum phase phase, int64_t for_ms)
{
	l->phase = phase;
	l->phase_end_ns = for_ms == 0 ? INT64_MAX : l->now_ns + for_ms * MS_NS;
	if (phase == MEASURING) {
		l->window_ns = l->now_ns;
		l->cpu_ns = cpu_ns(l->options);
	}
	if (phase == DRAINING) {
		l->result->measured_ns = l->now_ns - l->window_ns;
		l->result->cpu_ns = cpu_ns(l->options) - l->cpu_ns;
	}
}

static bool all_sent(const struct bw_load *l)
{
	return l->options->messages > 0 && l->started >= l->options->messages * l->options->connections;
}

/* Starts what is due; a message that finds no free connection keeps its due time. */
static enum bw_err pace(struct bw_load *l)
{
	enum bw_err err = BW_OK;

	while (err == BW_OK && is_paced(l) && l->free_count > 0 && l->due_ns <= l->now_ns) {
		struct client *c = &l->clients[l->free[l->free_first]];

		if (!may_start(l, c))
			break;
		l->free_first = (l->free_first + 1) % l->count;
		l->free_count--;
		err = start(l, c, l->due_ns);
		l->due_ns += SECOND_NS / l->options->rate;
	}
	return err;
}

/* How long nothing has to be done but to listen. */
static struct timespec pause_of(const struct bw_load *l)
{
	int64_t until = l->phase_end_ns < l->limit_ns ? l->phase_end_ns : l->limit_ns;

	if (is_paced(l) && l->free_count > 0 && l->due_ns < until && l->phase != DRAINING && l->phase != OPENING)
		until = l->due_ns;
	int64_t ns = until > l->now_ns ? until - l->now_ns : 0;

	return (struct timespec){ ns / SECOND_NS, ns % SECOND_NS };
}

static enum bw_err turn(struct bw_load *l)
{
	struct epoll_event events[EVENTS];
	struct timespec pause = pause_of(l);
	int n = epoll_pwait2(l->epoll, events, EVENTS, &pause, NULL);
	enum bw_err err = BW_OK;

	l->now_ns = monotonic_ns();
	for (int i = 0; err == BW_OK && i < n; i++)
		err = handle(l, &events[i]);
	if (err == BW_OK && l->now_ns > l->limit_ns)
		err = bw_fail(l->why, BW_ERR_LIMIT, "not finished within %lld ms", (long long)l->options->limit_ms);
	return err == BW_OK ? pace(l) : err;
}

static enum bw_err start_all(struct bw_load *l)
{
	enum bw_err err = BW_OK;

	l->due_ns = l->now_ns;
	if (is_paced(l))
		return pace(l);
	l->free_count = 0;
	for (size_t i = 0; err == BW_OK && i < (size_t)l->options->connections; i++)
		err = start(l, &l->clients[i], l->now_ns);
	return err;
}

static enum bw_err measure(struct bw_load *l)
{
	const struct bw_load_options *o = l->options;
	bool warm = o->messages == 0 && o->warmup_ms > 0;

	enter(l, warm ? WARMING : MEASURING, warm ? o->warmup_ms : o->messages > 0 ? 0 : o->measure_ms);
	enum bw_err err = start_all(l);

	while (err == BW_OK && l->phase != DRAINING) {
		err = turn(l);
		if (err == BW_OK && l->phase == WARMING && l->now_ns >= l->phase_end_ns)
			enter(l, MEASURING, o->measure_ms);
		else if (err == BW_OK && (l->now_ns >= l->phase_end_ns || (all_sent(l) && l->busy == 0)))
			enter(l, DRAINING, 0);
	}
	while (err == BW_OK && l->busy > 0)
		err = turn(l);
	return err;
}

/* --- life --- */

static enum bw_err open_all(struct bw_load *l)
{
	enum bw_err err = BW_OK;
	int64_t began_ns = monotonic_ns();

	l->phase = OPENING;
	l->phase_end_ns = INT64_MAX;
	for (size_t i = 0; err == BW_OK && i < l->count; i++) {
		err = open_client(l, i);
		if (err == BW_OK)
			err = push(l, &l->clients[i]);
	}
	while (err == BW_OK && l->busy > 0)
		err = turn(l);
	l->result->connect_ns = l->now_ns - began_ns;
	l->result->idle = l->options->idle;
	if (l->count > 0)
		l->result->steps = l->clients[0].mta.steps;
	return err;
}

static struct bw_load *load_new(const struct bw_plan *plan, const struct bw_load_options *options)
{
	struct bw_load *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->plan = plan;
	l->options = options;
	size_t count = (size_t)(options->connections + options->idle);

	l->clients = calloc(count + 1, sizeof(*l->clients));
	l->free = calloc(count + 1, sizeof(*l->free));
	l->bytes = malloc(READ_BYTES);
	if (l->epoll < 0 || l->clients == NULL || l->free == NULL || l->bytes == NULL) {
		bw_load_free(&l);
		return NULL;
	}
	l->count = count;
	for (size_t i = 0; i < count; i++) {
		bw_mta_init(&l->clients[i].mta, plan);
		l->clients[i].fd = -1;
	}
	return l;
}

enum bw_err bw_load_run(const struct bw_plan *plan, const struct bw_load_options *options, struct bw_load **load,
                        struct bw_load_result *result, struct bw_why *why)
{
	struct bw_load *l = load_new(plan, options);

	*result = (struct bw_load_result){ .idle = 0 };
	bw_samples_init(&result->samples);
	*load = l;
	if (l == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "no memory, or no epoll, for the connections");
	l->result = result;
	l->why = why;
	l->now_ns = monotonic_ns();
	l->limit_ns = l->now_ns + options->limit_ms * MS_NS;
	enum bw_err err = open_all(l);

	if (err == BW_OK && options->connections > 0)
		err = measure(l);
	bw_samples_sort(&result->samples);
	return err;
}

static void close_client(struct client *c)
{
	if (c->fd >= 0) {
		bw_mta_quit(&c->mta);
		ssize_t n = send(c->fd, c->mta.out.p, c->mta.out.n, MSG_NOSIGNAL | MSG_DONTWAIT);

		(void)n; /* the milter may have gone first */
		close(c->fd);
	}
	bw_mta_done(&c->mta);
}

void bw_load_free(struct bw_load **load)
{
	struct bw_load *l = *load;

	*load = NULL;
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->count; i++)
		close_client(&l->clients[i]);
	if (l->epoll >= 0)
		close(l->epoll);
	free(l->clients);
	free(l->free);
	free(l->bytes);
	free(l);
}

void bw_load_result_done(struct bw_load_result *result)
{
	bw_samples_done(&result->samples);
}
