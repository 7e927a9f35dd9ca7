/*
 * args.c: values that people type: numbers, sizes, durations, names that nearly match. Pure; the caller words the complaint.
 */
#include "front/common/args.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/macros.h"
#include "base/str.h"

#define NAME_MAX_BYTES 63

bool arg_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t value;

	if (!str_to_u64(str_from(text), &value) || value < min || value > max)
		return false;
	*ret = value;
	return true;
}

struct unit {
	const char *name; /* lower case */
	uint64_t factor;
};

/* Splits off the unit, in any case; false when it is unknown. */
static bool find_unit(const struct unit *units, size_t count, struct str text, struct str *ret_number, uint64_t *ret_factor)
{
	size_t at = 0;

	while (at < text.len && (isdigit((unsigned char)text.ptr[at]) || text.ptr[at] == '.'))
		at++;
	*ret_number = str_sub(text, 0, at);
	for (size_t i = 0; i < count; i++)
		if (str_eq_nocase(str_sub(text, at, text.len), str_from(units[i].name))) {
			*ret_factor = units[i].factor;
			return true;
		}
	return false;
}

bool arg_bytes(const char *text, uint64_t *ret)
{
	static const struct unit units[] = {
		{ "", 1 },          { "k", 1u << 10 },   { "kb", 1u << 10 }, { "kib", 1u << 10 }, { "m", 1u << 20 },
		{ "mb", 1u << 20 }, { "mib", 1u << 20 }, { "g", 1u << 30 },  { "gb", 1u << 30 },  { "gib", 1u << 30 },
	};
	struct str number;
	uint64_t factor, value;

	if (!find_unit(units, ARRAY_SIZE(units), str_from(text), &number, &factor) || !str_to_u64(number, &value))
		return false;
	if (value == 0 || value > (uint64_t)(SIZE_MAX / 4) / factor)
		return false;
	*ret = value * factor;
	return true;
}

bool arg_duration_ms(const char *text, uint64_t *ret_ms)
{
	static const struct unit units[] = { { "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };
	const double most_ms = 1e12; /* 31 years: far beyond any run, far below an overflow in microseconds */
	struct str number;
	uint64_t factor;
	double value;

	if (!find_unit(units, ARRAY_SIZE(units), str_from(text), &number, &factor) || !str_to_double(number, &value))
		return false;
	value = ceil(value * (double)factor);
	if (value < 0 || value > most_ms)
		return false;
	*ret_ms = (uint64_t)value;
	return true;
}

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Optimal string alignment: three rows of the table are enough. */
size_t arg_distance(const char *a, const char *b)
{
	size_t rows[3][NAME_MAX_BYTES + 1], alen = strlen(a), blen = strlen(b);

	if (alen > NAME_MAX_BYTES || blen > NAME_MAX_BYTES)
		return SIZE_MAX;
	for (size_t j = 0; j <= blen; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= alen; i++) {
		size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= blen; j++) {
			size_t cost = above[j - 1] + !same(a[i - 1], b[j - 1]);

			cost = MIN(cost, MIN(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
				cost = MIN(cost, before[j - 2] + 1);
			row[j] = cost;
		}
	}
	return rows[alen % 3][blen];
}

size_t arg_nearest(const char *typed, const char *(*name_at)(const void *names, size_t index), const void *names, size_t count)
{
	size_t best = SIZE_MAX, best_distance = MAX(strlen(typed) / 3, (size_t)1) + 1;

	for (size_t i = 0; i < count; i++) {
		size_t distance = arg_distance(typed, name_at(names, i));

		if (distance < best_distance) {
			best_distance = distance;
			best = i;
		}
	}
	return best;
}
