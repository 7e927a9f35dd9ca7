/*
 * bare_next.c: the least a Lambda runtime that links our libraries can do: ask the Runtime API for the next event. What bootstrap's start is measured against.
 *
 * Usage: AWS_LAMBDA_RUNTIME_API=HOST:PORT bare_next
 */
#include <curl/curl.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

static size_t swallow(char *data, size_t size, size_t count, void *user)
{
	(void)data;
	(void)user;
	return size * count;
}

int main(void)
{
	const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
	char url[512];
	uv_loop_t loop;

	if (!api || curl_global_init(CURL_GLOBAL_DEFAULT) || uv_loop_init(&loop))
		return 64;
	/* Named so that the linker keeps every library that bootstrap loads. */
	if (!OpenSSL_version(OPENSSL_VERSION))
		return 70;
	snprintf(url, sizeof(url), "http://%s/2018-06-01/runtime/invocation/next", api);
	CURL *easy = curl_easy_init();
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, swallow);
	CURLcode code = curl_easy_perform(easy);
	curl_easy_cleanup(easy);
	uv_loop_close(&loop);
	curl_global_cleanup();
	return code != CURLE_OK;
}
