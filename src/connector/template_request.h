/*
 * template_request.h: an HTTP request as a template: method, URL, headers, body. What a service is asked (and how a session logs in).
 *
 * Scheme, host and port of the URL are fixed, so that no value decides where a request goes. A body is a JSON value, whose strings are templates, or
 * a text, whose values are escaped by the Content-Type: JSON, form, XML, or as they are.
 */
#ifndef FF_CONNECTOR_TEMPLATE_REQUEST_H
#define FF_CONNECTOR_TEMPLATE_REQUEST_H

#include "connector/template.h"

struct template_header {
	struct str name;
	struct template value;
	const char *what; /* "the header X-Session", for sentences */
};

struct template_request {
	struct str origin; /* "https://host:8443", as written */
	struct str method;
	struct template url;
	struct template_header *headers;
	size_t header_count;
	struct template body;
	bool has_body;
	const char *url_what, *body_what; /* for sentences */
};

/* The members of a request as they were given. Their types were checked: text, text, object of strings, anything; NULL: absent. */
struct template_request_source {
	const struct json *url, *method, *headers, *body;
	const char *pointer; /* of the object that holds them */
	const char *accept;  /* Accept, unless `headers` says otherwise */
};

/* Problems go to the scope, secrets of headers, URL and body to its list. *ret is whole when the scope has no error. */
void template_request_read(struct template_scope *scope, const struct template_request_source *source,
                           struct template_request *ret);
/* 0, FF_ENOMEM, or FF_EDATA: a value cannot be sent. */
int template_request_render(const struct template_request *t, const struct template_values *v, struct arena *a,
                            struct exchange *ret, struct error *err) WARN_UNUSED;

#endif
