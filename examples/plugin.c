/*
 * plugin.c: a runner in a shared library that answers from a thread of its own.
 *
 *     cc -shared -fPIC plugin.c $(pkg-config --cflags fairforge) -pthread -o plugin.so
 *     fairforge run --plugin ./plugin.so --runner-arg greeting=Hello --dataset tests.jsonl -o out.json
 *
 * It needs the header alone and links nothing of fairforge. run_batch puts the batch into a queue and returns at once; the thread takes it out, thinks, and
 * completes it. That is the pattern for any system that answers through a blocking call; use as many threads as it bears.
 */
#include <fairforge/fairforge.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
	struct job *next;
	const struct ff_batch *batch; /* readable until `done` was called */
	struct ff_completion done;
};

struct runner {
	char *greeting;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct job *first, **end; /* the queue, under the lock */
	int closing;
};

/* The system behind the runner. Takes as long as it likes. */
static void think(const struct runner *r, const struct job *job)
{
	size_t room = strlen(r->greeting) + job->batch->query.len + 3;
	char *text = malloc(room);

	if (!text) {
		ff_complete_error(job->done, "The plugin has no memory left.");
		return;
	}
	(void)snprintf(text, room, "%s, %s", r->greeting, job->batch->query.ptr);
	ff_complete_text(job->done, text);
	free(text);
}

/* NULL: the runner closes, and the queue is empty. */
static struct job *next_job(struct runner *r)
{
	struct job *job;

	pthread_mutex_lock(&r->lock);
	while (!r->first && !r->closing)
		pthread_cond_wait(&r->more, &r->lock);
	job = r->first;
	if (job) {
		r->first = job->next;
		if (!r->first)
			r->end = &r->first;
	}
	pthread_mutex_unlock(&r->lock);
	return job;
}

static void *work(void *state)
{
	struct job *job;

	while ((job = next_job(state))) {
		think(state, job);
		free(job);
	}
	return NULL;
}

static void run_batch(void *state, const struct ff_batch *batch, struct ff_completion done)
{
	struct runner *r = state;
	struct job *job = calloc(1, sizeof(*job));

	if (!job) {
		ff_complete_error(done, "The plugin has no memory left.");
		return;
	}
	job->batch = batch;
	job->done = done;
	pthread_mutex_lock(&r->lock);
	*r->end = job;
	r->end = &job->next;
	pthread_cond_signal(&r->more);
	pthread_mutex_unlock(&r->lock);
}

static int open_runner(const struct ff_runner_args *args, void **ret_state, struct ff_error *err)
{
	const char *greeting = ff_runner_arg(args, "greeting");
	struct runner *r;

	if (!greeting) {
		(void)snprintf(err->text, sizeof(err->text), "The argument greeting is missing: give --runner-arg greeting=TEXT.");
		return -1;
	}
	r = calloc(1, sizeof(*r));
	if (!r)
		return -1;
	r->end = &r->first;
	r->greeting = malloc(strlen(greeting) + 1);
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->more, NULL);
	if (r->greeting)
		memcpy(r->greeting, greeting, strlen(greeting) + 1);
	if (!r->greeting || pthread_create(&r->thread, NULL, work, r)) {
		(void)snprintf(err->text, sizeof(err->text), "The plugin cannot start its thread.");
		free(r->greeting);
		free(r);
		return -1;
	}
	*ret_state = r;
	return 0;
}

/* When this returns, no thread of the plugin is left. */
static void close_runner(void *state)
{
	struct runner *r = state;

	pthread_mutex_lock(&r->lock);
	r->closing = 1;
	pthread_cond_signal(&r->more);
	pthread_mutex_unlock(&r->lock);
	pthread_join(r->thread, NULL);
	pthread_cond_destroy(&r->more);
	pthread_mutex_destroy(&r->lock);
	free(r->greeting);
	free(r);
}

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
extern const struct ff_runner_type fairforge_plugin;

const struct ff_runner_type fairforge_plugin = {
	.size = sizeof(fairforge_plugin),
	.abi = FF_RUNNER_ABI,
	.name = "greeter",
	.open = open_runner,
	.run_batch = run_batch,
	.close = close_runner,
};
