/*
 * pipe_pair.c: what two bare C processes exchange over the pipes of a worker, with the lines of a worker: the bar for worker turns.
 *
 * Usage: pipe_pair -n TURNS -c IN_FLIGHT ECHO_WORKER
 *
 * Starts the echo worker, writes the turn lines that `bench.py` has fairforge send, each with a write of its own, IN_FLIGHT of them without a reply, and
 * counts the replies, which it looks at no further than for their line feeds. No JSON, no engine, no output.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOM       (1u << 20)
#define LINE_BYTES 1024u

static const char hello[] = "{\"type\":\"hello\",\"protocol\":1,\"fairforge\":\"0\",\"worker\":0,\"workers\":1,\"start\":1,"
                            "\"concurrency\":64,\"args\":{}}\n";
static const char rest[] =
        ",\"attempt\":0,\"timeout_ms\":899999,\"session\":%lu,\"batch\":0,\"batches\":1,\"session_id\":\"s%lu\",\"assistant_id\":"
        "\"a\","
        "\"language\":\"english\",\"context\":\"\",\"qa_id\":\"q\",\"query\":\"What is the capital of France? %lu\","
        "\"prompt\":\"What is the capital of France? "
        "%lu\",\"assistant\":\"\",\"ground_truth_assistant\":\"Paris.\",\"observation\":null,"
        "\"logprobs\":{},\"agentic\":{},\"ground_truth_agentic\":{},\"weight\":null}\n";

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			die("write");
		data += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
}

/* Lines that came; blocks for at least one. */
static unsigned long take_lines(int fd)
{
	static char in[ROOM];
	unsigned long lines = 0;

	while (lines == 0) {
		ssize_t n = read(fd, in, sizeof(in));
		const char *at = in;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			die("the worker ended");
		while ((at = memchr(at, '\n', (size_t)(in + n - at)))) {
			lines++;
			at++;
		}
	}
	return lines;
}

static void start(char **argv, const char *flight, int *ret_in, int *ret_out)
{
	int to[2], from[2];

	if (pipe(to) || pipe(from))
		die("pipe");
	if (fork() == 0) {
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		close(to[0]), close(to[1]), close(from[0]), close(from[1]);
		execl(argv[0], argv[0], flight, (char *)NULL);
		_exit(127);
	}
	close(to[0]), close(from[1]);
	*ret_in = to[1];
	*ret_out = from[0];
}

static void exchange(int in, int out, unsigned long turns, unsigned long flight)
{
	char line[LINE_BYTES];
	unsigned long sent = 0, done = 0;

	while (done < turns) {
		for (; sent < turns && sent - done < flight; sent++) {
			size_t len = (size_t)snprintf(line, sizeof(line), "{\"type\":\"turn\",\"id\":%lu", sent + 1);

			len += (size_t)snprintf(line + len, sizeof(line) - len, rest, sent, sent, sent, sent);
			write_all(in, line, len);
		}
		done += take_lines(out);
	}
}

int main(int argc, char **argv)
{
	unsigned long turns = 100000;
	const char *flight = "64";
	int option, in, out;

	while ((option = getopt(argc, argv, "n:c:")) != -1) {
		if (option == 'n')
			turns = strtoul(optarg, NULL, 10);
		else if (option == 'c')
			flight = optarg;
		else
			return 64;
	}
	if (optind >= argc)
		return 64;
	start(argv + optind, flight, &in, &out);
	write_all(in, hello, sizeof(hello) - 1);
	(void)take_lines(out);
	exchange(in, out, turns, strtoul(flight, NULL, 10));
	close(in);
	return wait(NULL) < 0;
}
