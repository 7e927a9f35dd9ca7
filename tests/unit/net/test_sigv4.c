/*
 * test_sigv4.c: the worked examples of the Amazon S3 API Reference ("Signature Calculations for the Authorization Header: Transferring Payload in a
 * Single Chunk"), whose signatures AWS publishes, and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/error.h"
#include "net/sigv4.h"

/* 24 May 2013, 00:00:00 GMT */
#define EXAMPLE_MS 1369353600000
#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define START      "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders="

static struct sigv4_request example(const char *method, const char *path, const char *query)
{
	return (struct sigv4_request){
		.method = str_from(method),
		.host = STR("examplebucket.s3.amazonaws.com"),
		.path = str_from(path),
		.query = str_from(query),
		.region = STR("us-east-1"),
		.service = STR("s3"),
		.access_key = STR("AKIAIOSFODNN7EXAMPLE"),
		.secret_key = STR("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
		.wall_ms = EXAMPLE_MS,
	};
}

static void check(const struct sigv4_request *r, const char *hash, const char *authorization)
{
	struct sigv4_headers got;

	assert_int_equal(sigv4_sign(r, &got), 0);
	assert_string_equal(got.date, "20130524T000000Z");
	assert_string_equal(got.content_sha256, hash);
	assert_string_equal(got.authorization, authorization);
}

static void test_get_object(void **state)
{
	static const struct pair range = { { "Range", 5 }, { "bytes=0-9", 9 } };
	struct sigv4_request r = example("GET", "/test.txt", "");

	(void)state;
	r.headers = &range;
	r.header_count = 1;
	check(&r, EMPTY_HASH,
	      START "host;range;x-amz-content-sha256;x-amz-date,Signature="
	            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void test_put_object(void **state)
{
	static const struct pair headers[] = {
		{ { "Date", 4 }, { "Fri, 24 May 2013 00:00:00 GMT", 29 } },
		{ { "x-amz-storage-class", 19 }, { "REDUCED_REDUNDANCY", 18 } },
	};
	struct buf path;
	struct sigv4_request r;

	(void)state;
	buf_init(&path, 100);
	assert_int_equal(sigv4_encode_path(STR("/test$file.text"), &path), 0);
	r = example("PUT", path.ptr, "");
	r.body = STR("Welcome to Amazon S3.");
	r.headers = headers;
	r.header_count = 2;
	check(&r, "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
	      START "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,"
	            "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
	buf_release(&path);
}

static void test_get_lifecycle(void **state)
{
	struct sigv4_request r = example("GET", "/", "lifecycle=");

	(void)state;
	check(&r, EMPTY_HASH,
	      START
	      "host;x-amz-content-sha256;x-amz-date,Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

static void test_list_objects(void **state)
{
	struct sigv4_request r = example("GET", "/", "max-keys=2&prefix=J");

	(void)state;
	check(&r, EMPTY_HASH,
	      START
	      "host;x-amz-content-sha256;x-amz-date,Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

/* A token is signed; values lose white space at their ends and runs of spaces; names that begin alike are ordered by their bytes. */
static void test_headers(void **state)
{
	static const struct pair wide[] = {
		{ { "X-Amz-Meta-B", 12 }, { "  a   b ", 8 } },
		{ { "x-amz-meta-a-b", 14 }, { "2", 1 } },
		{ { "x-amz-meta-a", 12 }, { "1", 1 } },
	};
	static const struct pair narrow[] = {
		{ { "x-amz-meta-a", 12 }, { "1", 1 } },
		{ { "x-amz-meta-a-b", 14 }, { "2", 1 } },
		{ { "x-amz-meta-b", 12 }, { "a b", 3 } },
	};
	struct sigv4_request a = example("PUT", "/k", ""), b = a;
	struct sigv4_headers got_a, got_b;

	(void)state;
	a.session_token = b.session_token = STR("token");
	a.headers = wide;
	b.headers = narrow;
	a.header_count = b.header_count = 3;
	assert_int_equal(sigv4_sign(&a, &got_a), 0);
	assert_int_equal(sigv4_sign(&b, &got_b), 0);
	assert_string_equal(got_a.authorization, got_b.authorization);
	assert_non_null(strstr(got_a.authorization, "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-meta-a;x-amz-meta-a-"
	                                            "b;x-amz-meta-b;x-amz-security-token,"));
	b.session_token = STR("other");
	assert_int_equal(sigv4_sign(&b, &got_b), 0);
	assert_string_not_equal(got_a.authorization, got_b.authorization);
}

static void test_refused(void **state)
{
	static char long_text[4096];
	static struct pair many[40];
	struct sigv4_request good = example("GET", "/", ""), r;
	struct sigv4_headers got;

	(void)state;
	memset(long_text, 'a', sizeof(long_text) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct pair){ str_of(long_text, i + 1), STR("v") };
	assert_int_equal(sigv4_sign(&good, &got), 0);
#define REFUSED(member, bad)                                       \
	do {                                                       \
		r = good;                                          \
		r.member = bad;                                    \
		assert_int_equal(sigv4_sign(&r, &got), FF_EUSAGE); \
	} while (0)
	REFUSED(access_key, STR(""));
	REFUSED(access_key, STR("AKIA\r\nX: y"));
	REFUSED(access_key, str_of(long_text, 129));
	REFUSED(region, STR(""));
	REFUSED(region, STR("eu west"));
	REFUSED(region, str_of(long_text, 129));
	REFUSED(service, STR(""));
	REFUSED(secret_key, STR(""));
	REFUSED(secret_key, str_of(long_text, 1025));
	REFUSED(wall_ms, INT64_MAX);
	r = good;
	r.headers = many;
	r.header_count = 29; /* with our own four more than there is room for */
	assert_int_equal(sigv4_sign(&r, &got), FF_EUSAGE);
	r.header_count = 28; /* their names are too long for the header */
	r.headers = many + 12;
	assert_int_equal(sigv4_sign(&r, &got), FF_EUSAGE);
	r = good;
	r.access_key = str_of(long_text, 128);
	r.secret_key = str_of(long_text, 1024);
	assert_int_equal(sigv4_sign(&r, &got), 0);
}

static void test_encode_path(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 200);
	assert_int_equal(sigv4_encode_path(str_of("/a b/c+d=e,\xc3\xa9~_-.%\0/", 20), &out), 0);
	assert_string_equal(out.ptr, "/a%20b/c%2Bd%3De%2C%C3%A9~_-.%25%00/");
	buf_release(&out);
	buf_init(&out, 3);
	assert_int_equal(sigv4_encode_path(STR("  "), &out), FF_ETOOBIG);
	buf_release(&out);
}

static void test_out_of_memory(void **state)
{
	static const struct pair range = { { "Range", 5 }, { "bytes=0-9", 9 } };
	struct sigv4_request r = example("GET", "/test.txt", "");
	uint64_t hits = 1;

	(void)state;
	r.headers = &range;
	r.header_count = 1;
	for (uint64_t n = 1; hits; n++) {
		struct sigv4_headers got;
		int result;

		mem_fault_arm(n, false);
		result = sigv4_sign(&r, &got);
		hits = mem_fault_hits();
		mem_fault_arm(0, false);
		assert_int_equal(result, hits ? FF_ENOMEM : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get_object),   cmocka_unit_test(test_put_object),    cmocka_unit_test(test_get_lifecycle),
		cmocka_unit_test(test_list_objects), cmocka_unit_test(test_headers),       cmocka_unit_test(test_refused),
		cmocka_unit_test(test_encode_path),  cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
