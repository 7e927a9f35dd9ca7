/*
 * error_api.c: result codes, the table of exit statuses, versions. Facts live in base/error.h (codes) and in the table below.
 */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "lib/internal.h"
#include "net/http_curl.h"

static_assert((int)FF_R_NOMEM == (int)FF_ENOMEM && (int)FF_R_TOOBIG == (int)FF_ETOOBIG && (int)FF_R_USAGE == (int)FF_EUSAGE &&
                      (int)FF_R_DATA == (int)FF_EDATA && (int)FF_R_UNREACHABLE == (int)FF_EUNREACHABLE &&
                      (int)FF_R_INTERNAL == (int)FF_EINTERNAL && (int)FF_R_OUTPUT == (int)FF_EOUTPUT &&
                      (int)FF_R_LIMIT == (int)FF_ELIMIT && (int)FF_R_REFUSED == (int)FF_EREFUSED &&
                      (int)FF_R_CANCELED == (int)FF_ECANCELED && (int)FF_R_IO == (int)FF_EIO && (int)FF_R_INVAL == (int)FF_EINVAL,
              "the public codes are those of base/error.h");
static_assert(sizeof(((struct ff_error *)0)->where) == sizeof(((struct error *)0)->where) &&
                      sizeof(((struct ff_error *)0)->text) == sizeof(((struct error *)0)->text),
              "a public error holds a whole error");

/* What the command line tool ends with. The statuses of codes (base/error.h) are among them. */
static const struct ff_exit_row exit_rows[] = {
	{ 0, "every turn ok" },
	{ 1, "finished, but some turns failed" },
	{ 64, "wrong use: a flag, an option, a connector or a config" },
	{ 65, "JSON or datasets invalid or absent" },
	{ 69, "the target cannot be reached: not one HTTP reply came" },
	{ 70, "internal error" },
	{ 73, "output cannot be written" },
	{ 75, "stopped by a limit: deadline or quota" },
	{ 77, "refused by the target: every turn ended with 401, 403 or 404" },
	{ 129, "interrupted by HUP" },
	{ 130, "interrupted by INT (Ctrl-C)" },
	{ 143, "interrupted by TERM" },
};

const char *ff_code_name(int code)
{
	return error_code_name(code);
}

const char *ff_code_text(int code)
{
	return error_code_text(code);
}

int ff_code_exit_status(int code)
{
	return error_exit_status(code);
}

const struct ff_exit_row *ff_exit_table(size_t *ret_count)
{
	if (ret_count)
		*ret_count = ARRAY_SIZE(exit_rows);
	return exit_rows;
}

const char *ff_version(void)
{
	return FF_VERSION;
}

const char *ff_version_libraries(void)
{
	return http_curl_version();
}

void ff_free(void *ptr)
{
	mem_free(ptr);
}

int lib_error_export(const struct error *err, struct ff_error *ret)
{
	if (err && ret) {
		ret->code = err->code;
		memcpy(ret->where, err->where, sizeof(ret->where));
		memcpy(ret->text, err->text, sizeof(ret->text));
	}
	return err ? err->code : 0;
}
