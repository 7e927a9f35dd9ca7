/*
 * listen.c: where to listen. See listen.h. Addresses are numeric, because a name can mean several and another one tomorrow; localhost means 127.0.0.1.
 */
#include "front/server/listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/str.h"

static bool is_loopback(const char *text)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, text, &v6) != 1)
		return false;
	return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

static bool is_numeric(const char *text, bool bracketed)
{
	struct in6_addr v6;
	struct in_addr v4;

	return bracketed ? inet_pton(AF_INET6, text, &v6) == 1 : inet_pton(AF_INET, text, &v4) == 1;
}

/* Takes "[ADDRESS]" or "ADDRESS" off the front, leaves ":PORT". */
static struct str take_address(struct str *rest, bool *ret_bracketed)
{
	size_t end;
	struct str address;

	*ret_bracketed = rest->len && rest->ptr[0] == '[';
	end = str_find(*rest, *ret_bracketed ? STR("]") : STR(":"), 0);
	if (end == SIZE_MAX)
		return STR_NULL;
	address = str_sub(*rest, *ret_bracketed, end);
	*rest = str_sub(*rest, end + *ret_bracketed, rest->len);
	return address;
}

static int wrong(const char *text, struct error *err)
{
	return error_set(err, FF_EUSAGE, "",
	                 "The address to listen on is ADDRESS:PORT with a numeric address, such as 127.0.0.1:8080 or [::1]:8080; "
	                 "\"%s\" is not.",
	                 text);
}

static int parse(struct str rest, const char *text, struct listen_address *ret, struct error *err)
{
	struct str address = STR("127.0.0.1");
	bool bracketed = false;
	uint64_t port;

	if (str_find(rest, STR(":"), 0) != SIZE_MAX) {
		address = take_address(&rest, &bracketed);
		if (!str_starts_with(rest, STR(":")))
			return wrong(text, err);
		rest = str_sub(rest, 1, rest.len);
	}
	if (str_eq(address, STR("localhost")))
		address = STR("127.0.0.1");
	if (!address.len || address.len >= sizeof(ret->address) || !str_to_u64(rest, &port) || port > UINT16_MAX)
		return wrong(text, err);
	*ret = (struct listen_address){ .port = (uint16_t)port };
	memcpy(ret->address, address.ptr, address.len);
	if (!is_numeric(ret->address, bracketed))
		return wrong(text, err);
	ret->loopback = is_loopback(ret->address);
	return 0;
}

int listen_parse(const char *text, struct listen_address *ret, struct error *err)
{
	return parse(str_from(text), text, ret, err);
}

int listen_parse_url(const char *url, struct listen_address *ret, struct error *err)
{
	struct str rest = str_from(url);
	size_t at = str_find(rest, STR("://"), 0);

	return at == SIZE_MAX ? wrong(url, err) : parse(str_sub(rest, at + 3, rest.len), url, ret, err);
}

int listen_inherited(const char *listen_pid, const char *listen_fds, uint64_t own_pid, int *ret_fd, struct error *err)
{
	uint64_t pid, count;

	*ret_fd = 0;
	if (!listen_pid || !str_to_u64(str_from(listen_pid), &pid) || pid != own_pid)
		return 0;
	if (!listen_fds || !str_to_u64(str_from(listen_fds), &count) || count == 0)
		return 0;
	if (count > 1)
		return error_set(err, FF_EUSAGE, "LISTEN_FDS", "One socket can be handed over, not %s.", listen_fds);
	*ret_fd = LISTEN_FD_FIRST;
	return 0;
}
