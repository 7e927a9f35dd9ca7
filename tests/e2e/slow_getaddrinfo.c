/*
 * slow_getaddrinfo.c: a resolver that hangs, for LD_PRELOAD: names under .test are answered after SLOW_GETADDRINFO_S seconds (20 when unset) with
 * EAI_AGAIN; all others go to the C library.
 *
 * A program that waits for its resolver thread shows it by taking that long to end.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int resolve_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static int is_test_name(const char *node)
{
	size_t len = node ? strlen(node) : 0;

	return len > 5 && strcmp(node + len - 5, ".test") == 0;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	const char *seconds = getenv("SLOW_GETADDRINFO_S");
	resolve_fn *real;

	if (is_test_name(node)) {
		sleep(seconds ? (unsigned)strtoul(seconds, NULL, 10) : 20);
		return EAI_AGAIN;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real ? real(node, service, hints, ret) : EAI_SYSTEM;
}
