/*
 * params.h: table-driven reading of `connector.params` with pydantic's lax coercions (facts/connectors.md 1.2): what is accepted, what a
 * value becomes, and what is refused with which sentence.
 */
#ifndef FF_CONNECTOR_PARAMS_H
#define FF_CONNECTOR_PARAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/problem.h"
#include "model/json.h"

enum param_type {
	PARAM_STRING,         /* string only */
	PARAM_SECRET,         /* string; never printed */
	PARAM_INT,            /* int, float without fraction, numeric string, bool */
	PARAM_FLOAT,          /* number, numeric string, bool; leaves as a float: 1 → 1.0 */
	PARAM_BOOL,           /* true, false, 0, 1, "yes", "off", ... */
	PARAM_LITERAL,        /* one of `choices` */
	PARAM_STRING_LIST,    /* array of strings */
	PARAM_STRING_OR_LIST, /* string or array of strings */
	PARAM_LIST,           /* any array */
	PARAM_OBJECT,         /* any object */
	PARAM_STRING_MAP,     /* object of strings */
	PARAM_INT_MAP,        /* object of integers (logit_bias) */
	PARAM_TIMEOUT,        /* seconds: number, or numeric text read as the number */
	PARAM_TEXT,           /* string or number, which becomes the text that Python prints */
	PARAM_ANY             /* any value, passed on as it came */
};

enum param_setter { PARAM_ANYONE, PARAM_OPERATOR /* not by strangers: proxies, files, TLS settings */ };

struct param_row {
	const char *name;   /* the class's field */
	const char *alias;  /* the pydantic alias: wins over the name; NULL: none */
	const char *alias2; /* a second accepted name; NULL: none */
	enum param_type type;
	bool nullable; /* null counts as absent */
	bool required;
	const char *choices;      /* PARAM_LITERAL: "a|b|c" */
	const char *default_text; /* for printing: "0.7", "none" */
	const char *wire;         /* place on the wire, for printing: "body temperature", "header Authorization", "not sent" */
	enum param_setter setter;
};

struct param_value {
	bool given;             /* present and not (nullable and null) */
	bool null;              /* present as null */
	struct json value;      /* coerced; numbers have the text that leaves */
	const struct json *raw; /* as it came; NULL when absent */
};

/*
 * Reads params by the rows: values[i] belongs to rows[i]. *ret_unknown gets the members that no row knows, in order. All problems at once, with
 * pointers below `pointer`. 0, FF_EUSAGE or FF_ENOMEM.
 */
int params_read(struct arena *a, const struct param_row *rows, size_t row_count, const struct json *params, const char *pointer,
                bool stranger, struct param_value *values, const struct json_member **ret_unknown, size_t *ret_unknown_count,
                struct problems *problems) WARN_UNUSED;
const char *param_type_name(enum param_type type);

#endif
