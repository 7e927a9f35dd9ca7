/* exchange.c: see exchange.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "exchange.h"

void rig_open(struct rig *rig, const struct http_curl_config *config)
{
	static const struct http_curl_config plain;
	struct error err;

	assert_int_equal(loop_new(&rig->loop, &err), 0);
	if (http_curl_new(rig->loop, config ? config : &plain, &rig->transport, &err))
		fail_msg("http_curl_new: %s", err.text);
}

void rig_close(struct rig *rig)
{
	http_curl_free(rig->transport);
	loop_free(rig->loop);
}

struct http_curl_stats rig_stats(const struct rig *rig)
{
	struct http_curl_stats stats;

	http_curl_stats(rig->transport, &stats);
	return stats;
}

void exchange_init(struct exchange *x, struct rig *rig, const char *scheme, const char *host, uint16_t port)
{
	static const struct pair headers[] = { { { "Content-Type", 12 }, { "application/json", 16 } } };

	*x = (struct exchange){ .rig = rig };
	snprintf(x->url, sizeof(x->url), "%s://%s:%u/path", scheme, host, port);
	x->request = (struct http_request){ .method = STR("POST"),
		                            .url = str_from(x->url),
		                            .headers = headers,
		                            .header_count = 1,
		                            .body = STR("{}"),
		                            .connect_timeout_ms = 20000,
		                            .total_timeout_ms = 60000 };
	buf_init(&x->headers, 1 << 20);
	buf_init(&x->body, 1 << 24);
}

void exchange_release(struct exchange *x)
{
	buf_release(&x->headers);
	buf_release(&x->body);
}

static void on_head(void *user, int status, const struct pair *headers, size_t count)
{
	struct exchange *x = user;

	assert_false(x->inside_start);
	assert_int_equal(x->dones, 0);
	x->heads++;
	x->status = status;
	for (size_t i = 0; i < count; i++)
		buf_printf(&x->headers, "%.*s=%.*s\n", STR_ARG(headers[i].name), STR_ARG(headers[i].value));
	if (x->cancel_in_head)
		exchange_cancel(x);
}

static int on_body(void *user, const char *data, size_t len)
{
	struct exchange *x = user;

	assert_false(x->inside_start);
	assert_int_equal(x->dones, 0);
	assert_int_equal(x->heads, 1);
	buf_append(&x->body, data, len);
	if (x->start_in_body) {
		exchange_start(x->start_in_body);
		x->start_in_body = NULL;
	}
	if (x->cancel_in_body)
		exchange_cancel(x);
	return x->refuse_body ? -1 : 0;
}

static void on_done(void *user, const struct http_result *result)
{
	struct exchange *x = user;

	assert_false(x->inside_start);
	assert_int_equal(x->dones, 0);
	x->dones++;
	x->result = *result;
	x->transfer = NULL;
	if (x->then)
		x->then(x);
}

int exchange_try(struct exchange *x, struct error *err)
{
	static const struct http_callbacks callbacks = { on_head, on_body, on_done };
	int code;

	x->heads = x->dones = x->status = 0;
	buf_clear(&x->headers);
	buf_clear(&x->body);
	x->inside_start = true;
	code = http_start(x->rig->transport, &x->request, &callbacks, x, &x->transfer, err);
	x->inside_start = false;
	return code;
}

void exchange_start(struct exchange *x)
{
	struct error err;

	if (exchange_try(x, &err))
		fail_msg("http_start: %s", err.text);
}

void exchange_cancel(struct exchange *x)
{
	x->inside_start = true;
	http_cancel(x->rig->transport, x->transfer);
	x->inside_start = false;
}

void exchange_wait(struct exchange *x)
{
	while (!x->dones)
		loop_wait(x->rig->loop, -1);
}

void exchange_run(struct exchange *x)
{
	exchange_start(x);
	exchange_wait(x);
}

void exchange_expect(struct exchange *x, enum http_failure failure, const char *text)
{
	exchange_run(x);
	if (x->result.failure != failure)
		fail_msg("%s: expected %s, it ended with %s: %s", x->url, http_failure_name(failure),
		         http_failure_name(x->result.failure), x->result.text);
	if (text ? !strstr(x->result.text, text) : x->result.text[0] != '\0')
		fail_msg("%s: expected a text with \"%s\", it is \"%s\"", x->url, text ? text : "", x->result.text);
}
