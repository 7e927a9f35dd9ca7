/*
 * bare.c: the least a program that links our libraries can do: one POST, then exit. What start-up is measured against.
 *
 * Usage: bare URL
 */
#include <curl/curl.h>
#include <microhttpd.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

static size_t swallow(char *data, size_t size, size_t count, void *user)
{
	(void)data;
	(void)user;
	return size * count;
}

int main(int argc, char **argv)
{
	static const char body[] = "{\"model\":\"m\",\"stream\":false,\"messages\":[{\"content\":\"hello\",\"role\":\"user\"}]}";
	uv_loop_t loop;
	if (argc != 2 || curl_global_init(CURL_GLOBAL_DEFAULT) || uv_loop_init(&loop))
		return 64;
	/* Named so that the linker keeps every library that fairforge loads. */
	if (!MHD_get_version() || !OpenSSL_version(OPENSSL_VERSION))
		return 70;
	CURL *easy = curl_easy_init();
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, swallow);
	CURLcode code = curl_easy_perform(easy);
	if (code)
		fprintf(stderr, "bare: %s\n", curl_easy_strerror(code));
	curl_slist_free_all(headers);
	curl_easy_cleanup(easy);
	uv_loop_close(&loop);
	curl_global_cleanup();
	return code != CURLE_OK;
}
