/*
 * address.c: which addresses a stranger's payload may not reach: one table of IANA's special-purpose registries.
 *
 * Every address is compared as 16 bytes, IPv4 in its v4-mapped form, so that one table serves both families. Forms that carry an IPv4
 * address inside an IPv6 one (mapped, compatible, NAT64, 6to4, ISATAP-like Teredo) are refused as a whole or unwrapped and asked again: a rule
 * that looks at the outer form alone is how such filters are passed. An address family we do not know is special.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "net/url.h"

#define V4(a, b, c, d)                                               \
	{                                                            \
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d \
	}
#define V4_BITS(n) (96 + (n))

/* Prefix and its length in bits. The names are those of the registries. */
static const struct special {
	uint8_t prefix[16];
	unsigned bits;
	const char *name;
} specials[] = {
	{ V4(0, 0, 0, 0), V4_BITS(8), "this network" },
	{ V4(10, 0, 0, 0), V4_BITS(8), "private use" },
	{ V4(100, 64, 0, 0), V4_BITS(10), "shared address space" },
	{ V4(127, 0, 0, 0), V4_BITS(8), "loopback" },
	{ V4(169, 254, 0, 0), V4_BITS(16), "link local" },
	{ V4(172, 16, 0, 0), V4_BITS(12), "private use" },
	{ V4(192, 0, 0, 0), V4_BITS(24), "IETF protocol assignments" },
	{ V4(192, 0, 2, 0), V4_BITS(24), "documentation" },
	{ V4(192, 31, 196, 0), V4_BITS(24), "AS112" },
	{ V4(192, 52, 193, 0), V4_BITS(24), "AMT" },
	{ V4(192, 88, 99, 0), V4_BITS(24), "6to4 relay" },
	{ V4(192, 168, 0, 0), V4_BITS(16), "private use" },
	{ V4(192, 175, 48, 0), V4_BITS(24), "AS112" },
	{ V4(198, 18, 0, 0), V4_BITS(15), "benchmarking" },
	{ V4(198, 51, 100, 0), V4_BITS(24), "documentation" },
	{ V4(203, 0, 113, 0), V4_BITS(24), "documentation" },
	{ V4(224, 0, 0, 0), V4_BITS(4), "multicast" },
	{ V4(240, 0, 0, 0), V4_BITS(4), "reserved, and broadcast" },
	{ { 0x01, 0x00 }, 64, "discard only" },
	{ { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48, "local NAT64" },
	{ { 0x20, 0x01, 0x00 }, 23, "IETF protocol assignments, Teredo" },
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32, "documentation" },
	{ { 0x20, 0x02 }, 16, "6to4" },
	{ { 0x26, 0x20, 0x00, 0x4f, 0x80 }, 48, "AS112" },
	{ { 0x3f, 0xff, 0x00 }, 20, "documentation" },
	{ { 0x5f, 0x00 }, 16, "segment routing" },
	{ { 0xfc }, 7, "unique local" },
	{ { 0xfe, 0x80 }, 10, "link local" },
	{ { 0xfe, 0xc0 }, 10, "site local" },
	{ { 0xff }, 8, "multicast" },
	/* ::/96 holds ::, ::1 and the v4-compatible forms; 64:ff9b::/96 is NAT64: whatever they carry, nobody reaches a provider that way. */
	{ { 0x00 }, 96, "unspecified, loopback, v4-compatible" },
	{ { 0x00, 0x64, 0xff, 0x9b }, 96, "NAT64" },
};

static bool under_prefix(const uint8_t address[16], const uint8_t prefix[16], unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	if (memcmp(address, prefix, bytes) != 0)
		return false;
	return rest == 0 || ((address[bytes] ^ prefix[bytes]) >> (8 - rest)) == 0;
}

/* All that IANA has given out as global unicast lies in 2000::/3; what lies elsewhere is special or not given out yet. */
static bool is_global_unicast(const uint8_t address[16])
{
	static const uint8_t mapped[16] = V4(0, 0, 0, 0);

	return address[0] >> 5 == 1 || under_prefix(address, mapped, 96);
}

static bool is_special(const uint8_t address[16])
{
	if (!is_global_unicast(address))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(specials); i++)
		if (under_prefix(address, specials[i].prefix, specials[i].bits))
			return true;
	return false;
}

bool address_is_special(const struct sockaddr *address)
{
	uint8_t bytes[16] = V4(0, 0, 0, 0);

	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, address, sizeof(in)); /* the caller's storage need not be aligned for it */
		memcpy(bytes + 12, &in.sin_addr, 4);
	} else if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, address, sizeof(in6));
		memcpy(bytes, &in6.sin6_addr, 16);
	} else {
		return true;
	}
	return is_special(bytes);
}

/* A name that resolves to this machine by definition (RFC 6761): localhost and everything under it, with or without the root dot. */
static bool is_localhost_name(struct str host)
{
	if (str_ends_with(host, STR(".")))
		host.len--;
	return str_eq_nocase(host, STR("localhost")) ||
	       (host.len > 10 && str_eq_nocase(str_sub(host, host.len - 10, host.len), STR(".localhost")));
}

bool url_host_is_local(const char *host)
{
	static const struct special local[] = {
		{ V4(127, 0, 0, 0), V4_BITS(8), "" },
		{ V4(10, 0, 0, 0), V4_BITS(8), "" },
		{ V4(172, 16, 0, 0), V4_BITS(12), "" },
		{ V4(192, 168, 0, 0), V4_BITS(16), "" },
		{ { 0xfc }, 7, "" },
		{ { 0xfe, 0x80 }, 10, "" },
		{ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 }, 128, "" },
		/* The unspecified addresses lead to this machine (OLLAMA_HOST is often 0.0.0.0). */
		{ V4(0, 0, 0, 0), 128, "" },
		{ { 0 }, 128, "" },
	};
	uint8_t bytes[16] = V4(0, 0, 0, 0);

	if (inet_pton(AF_INET, host, bytes + 12) != 1 && inet_pton(AF_INET6, host, bytes) != 1)
		return is_localhost_name(str_from(host));
	for (size_t i = 0; i < ARRAY_SIZE(local); i++)
		if (under_prefix(bytes, local[i].prefix, local[i].bits))
			return true;
	return false;
}
