/*
 * template_place.c: how a value is written so that it stays a value: one row a place. Measure, allocate, write: the length is exact, so that
 * a rendered text costs one allocation.
 */
#include "connector/template.h"

#include "connector/base_url.h"
#include "connector/quote.h"

/* ---- XML ---- */

static struct str entity(char c)
{
	switch (c) {
	case '&': return STR("&amp;");
	case '<': return STR("&lt;");
	case '>': return STR("&gt;");
	case '"': return STR("&quot;");
	case '\'': return STR("&apos;");
	default: return STR_NULL;
	}
}

static size_t xml_length(struct str value)
{
	size_t len = value.len;

	for (size_t i = 0; i < value.len; i++) {
		struct str e = entity(value.ptr[i]);

		len += e.len ? e.len - 1 : 0;
	}
	return len;
}

static char *xml_write(char *out, struct str value)
{
	for (size_t i = 0; i < value.len; i++) {
		struct str e = entity(value.ptr[i]);

		if (e.len)
			out = quote_raw(out, e);
		else
			*out++ = value.ptr[i];
	}
	return out;
}

/* XML 1.0 has no way to write these. */
static const char *xml_problem(struct str value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.ptr[i];

		if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
			return "it has a control character that XML cannot hold";
	}
	return NULL;
}

/* ---- URL ---- */

static size_t percent_length(struct str value)
{
	return percent_encode(NULL, value, "");
}

static char *percent_write(char *out, struct str value)
{
	return out + percent_encode(out, value, "");
}

/* ---- header ---- */

static const char *header_value_problem(struct str value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.ptr[i];

		if (c == '\r' || c == '\n')
			return "it has a line break";
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return "it has a control character";
	}
	return NULL;
}

/* ---- as it is ---- */

static size_t raw_length(struct str value)
{
	return value.len;
}

static const struct {
	size_t (*length)(struct str value);
	char *(*write)(char *out, struct str value);
	const char *(*problem)(struct str value); /* NULL: takes everything */
} places[] = {
	[PLACE_TEXT] = { raw_length, quote_raw, NULL },
	[PLACE_URL] = { percent_length, percent_write, NULL },
	[PLACE_FORM] = { percent_length, percent_write, NULL },
	[PLACE_HEADER] = { raw_length, quote_raw, header_value_problem },
	[PLACE_JSON] = { quote_inner_length, quote_inner_write, NULL },
	[PLACE_JSON_VALUE] = { raw_length, quote_raw, NULL },
	[PLACE_XML] = { xml_length, xml_write, xml_problem },
};

size_t place_length(enum template_place place, struct str value)
{
	return places[place].length(value);
}

char *place_write(enum template_place place, char *out, struct str value)
{
	return places[place].write(out, value);
}

const char *place_problem(enum template_place place, struct str value)
{
	return places[place].problem ? places[place].problem(value) : NULL;
}
