/*
 * rebinding.c: a resolver and a network of the test's, for LD_PRELOAD.
 *
 * Names under .test have the addresses in REBIND (comma-separated, in that order). A connection to the address in PUBLIC goes to 127.0.0.1 on the same
 * port: so a server on this machine can play one that stands in the Internet, and no packet leaves. All else goes to the C library.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

typedef int resolve_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);
typedef int connect_fn(int, const struct sockaddr *, socklen_t);

static int is_test_name(const char *node)
{
	size_t len = node ? strlen(node) : 0;

	return len > 5 && strcmp(node + len - 5, ".test") == 0;
}

/* The C library makes and frees each one: a numeric host needs no network. */
static int resolve_list(resolve_fn *real, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	char *list = strdup(getenv("REBIND") ? getenv("REBIND") : ""), *save, *one;
	int r = list ? EAI_NONAME : EAI_MEMORY;

	*ret = NULL;
	for (one = list ? strtok_r(list, ",", &save) : NULL; one; one = strtok_r(NULL, ",", &save)) {
		struct addrinfo **end = ret;

		while (*end)
			end = &(*end)->ai_next;
		r = real(one, service, hints, end);
		if (r)
			break;
	}
	free(list);
	return r;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	resolve_fn *real;

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	if (!real)
		return EAI_SYSTEM;
	return is_test_name(node) ? resolve_list(real, service, hints, ret) : real(node, service, hints, ret);
}

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
	const char *public = getenv("PUBLIC");
	struct sockaddr_in in;
	struct in_addr it;
	connect_fn *real;

	*(void **)&real = dlsym(RTLD_NEXT, "connect");
	if (address->sa_family != AF_INET || !public || inet_pton(AF_INET, public, &it) != 1)
		return real(fd, address, len);
	memcpy(&in, address, sizeof(in));
	if (in.sin_addr.s_addr == it.s_addr)
		in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return real(fd, (struct sockaddr *)&in, len);
}
