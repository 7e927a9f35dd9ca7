/*
 * base_url.c: see base_url.h. Works on slices; only the Basic header takes memory. Runs once a connector, except percent_encode, which has no state.
 */
#include "connector/base_url.h"

static bool is_host_char(unsigned char c)
{
	return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' ||
	       c == '_' || c == '%' || c == '~';
}

static bool is_bad_char(unsigned char c)
{
	return c <= 0x20 || c == 0x7f || c == '\\' || c == '"' || c == '<' || c == '>' || c == '^' || c == '`' || c == '{' ||
	       c == '|' || c == '}';
}

static size_t find_any(struct str s, const char *set)
{
	size_t i = 0;

	while (i < s.len && !strchr(set, s.ptr[i]))
		i++;
	return i;
}

static const char *split_port(struct str authority, struct base_url *u)
{
	size_t colon = authority.len;
	uint64_t port;

	for (size_t i = authority.len; i > 0 && authority.ptr[i - 1] != ']'; i--)
		if (authority.ptr[i - 1] == ':')
			colon = i - 1;
	u->host = str_sub(authority, 0, colon);
	u->port = str_sub(authority, MIN(colon + 1, authority.len), authority.len);
	if (u->port.len && (!str_to_u64(u->port, &port) || port < 1 || port > 65535))
		return "its port is not a number from 1 to 65535";
	return NULL;
}

static const char *check_host(struct str host)
{
	struct str inner = host;

	if (host.len && host.ptr[0] == '[') {
		if (host.len < 4 || host.ptr[host.len - 1] != ']')
			return "its IPv6 address has no closing bracket";
		inner = str_sub(host, 1, host.len - 1);
		for (size_t i = 0; i < inner.len; i++)
			if (!is_host_char((unsigned char)inner.ptr[i]) && inner.ptr[i] != ':')
				return "its host has a character that no host name has";
		return NULL;
	}
	for (size_t i = 0; i < inner.len; i++)
		if (!is_host_char((unsigned char)inner.ptr[i]))
			return "its host has a character that no host name has";
	return NULL;
}

static const char *split_authority(struct str authority, struct base_url *u)
{
	const char *wrong;

	for (size_t i = authority.len; i > 0; i--) {
		if (authority.ptr[i - 1] == '@') {
			u->has_userinfo = true;
			u->userinfo = str_sub(authority, 0, i - 1);
			authority = str_sub(authority, i, authority.len);
			break;
		}
	}
	wrong = split_port(authority, u);
	return wrong ? wrong : check_host(u->host);
}

const char *base_url_parse(struct str text, struct base_url *ret)
{
	struct base_url u = { 0 };
	size_t mark = str_find(text, STR("://"), 0), end;
	const char *wrong;

	for (size_t i = 0; i < text.len; i++)
		if (is_bad_char((unsigned char)text.ptr[i]))
			return "it has a blank or another character that no URL has";
	if (mark != SIZE_MAX && find_any(text, "/?#@") > mark) {
		u.scheme = str_sub(text, 0, mark);
		if (!str_eq_nocase(u.scheme, STR("http")) && !str_eq_nocase(u.scheme, STR("https")))
			return "it begins with neither http:// nor https://";
		text = str_sub(text, mark + 3, text.len);
	}
	end = find_any(text, "/?#");
	wrong = split_authority(str_sub(text, 0, end), &u);
	if (wrong)
		return wrong;
	if (!u.host.len && (u.scheme.len || !u.port.len))
		return "it names no host";
	text = str_sub(text, end, text.len);
	text = str_sub(text, 0, find_any(text, "#"));
	end = find_any(text, "?");
	u.path = str_sub(text, 0, end);
	u.query = str_sub(text, MIN(end + 1, text.len), text.len);
	while (u.path.len && u.path.ptr[u.path.len - 1] == '/')
		u.path.len--;
	*ret = u;
	return NULL;
}

bool base_url_same_origin(const struct base_url *u, struct str own)
{
	struct base_url o;
	struct str usual;

	if (base_url_parse(own, &o))
		return false;
	usual = str_eq_nocase(o.scheme, STR("https")) ? STR("443") : STR("80");
	return str_eq_nocase(u->scheme, o.scheme) && str_eq_nocase(u->host, o.host) &&
	       str_eq(u->port.len ? u->port : usual, o.port.len ? o.port : usual);
}

void base_url_drop_suffix(struct base_url *u, struct str suffix)
{
	if (!suffix.len || !str_ends_with(u->path, suffix))
		return;
	u->path.len -= suffix.len;
	while (u->path.len && u->path.ptr[u->path.len - 1] == '/')
		u->path.len--;
}

static bool is_dot_segment(struct str segment)
{
	size_t dots = 0;

	for (size_t i = 0; i < segment.len; dots++) {
		if (segment.ptr[i] == '.')
			i++;
		else if (str_eq_nocase(str_sub(segment, i, i + 3), STR("%2e")))
			i += 3;
		else
			return false;
	}
	return dots == 1 || dots == 2;
}

bool path_has_dots(struct str path)
{
	while (path.ptr)
		if (is_dot_segment(str_split(&path, '/')))
			return true;
	return false;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

char *percent_decode(struct arena *a, struct str text, size_t *ret_len)
{
	char *out = arena_alloc(a, text.len + 1);
	size_t len = 0;

	if (!out)
		return NULL;
	for (size_t i = 0; i < text.len; i++) {
		int high = text.ptr[i] == '%' && i + 2 < text.len ? hex_value(text.ptr[i + 1]) : -1;
		int low = high >= 0 ? hex_value(text.ptr[i + 2]) : -1;

		out[len++] = low >= 0 ? (char)(high * 16 + low) : text.ptr[i];
		i += low >= 0 ? 2 : 0;
	}
	out[len] = '\0';
	*ret_len = len;
	return out;
}

static void base64(char *out, const unsigned char *in, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		uint32_t block = (uint32_t)in[i] << 16;

		block |= i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0;
		block |= i + 2 < len ? in[i + 2] : 0;
		*out++ = digits[block >> 18];
		*out++ = digits[(block >> 12) & 63];
		*out++ = i + 1 < len ? digits[(block >> 6) & 63] : '=';
		*out++ = i + 2 < len ? digits[block & 63] : '=';
	}
	*out = '\0';
}

char *base_url_basic_auth(struct arena *a, struct str userinfo)
{
	size_t colon = find_any(userinfo, ":"), user_len, password_len;
	char *user = percent_decode(a, str_sub(userinfo, 0, colon), &user_len);
	char *password = percent_decode(a, str_sub(userinfo, MIN(colon + 1, userinfo.len), userinfo.len), &password_len);
	char *plain, *digits;

	if (!user || !password)
		return NULL;
	plain = arena_alloc(a, user_len + password_len + 1);
	digits = arena_alloc(a, (user_len + password_len + 3) / 3 * 4 + 1);
	if (!plain || !digits)
		return NULL;
	memcpy(plain, user, user_len);
	plain[user_len] = ':';
	memcpy(plain + user_len + 1, password, password_len);
	base64(digits, (const unsigned char *)plain, user_len + password_len + 1);
	return arena_printf(a, "Basic %s", digits);
}

size_t percent_encode(char *out, struct str text, const char *keep)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
		             c == '_' || c == '~' || (c && *keep && strchr(keep, c));

		if (out && plain) {
			out[len] = (char)c;
		} else if (out) {
			out[len] = '%';
			out[len + 1] = hex[c >> 4];
			out[len + 2] = hex[c & 15];
		}
		len += plain ? 1 : 3;
	}
	return len;
}
