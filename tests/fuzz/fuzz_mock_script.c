/*
 * fuzz_mock_script.c: the simulator's script of faults. Whatever the bytes are: problems with sentences and no script, or a script without problems
 * whose faults keep the invariants that delivery relies on. Parsing twice must say the same.
 */
#include <stdint.h>

#include "base/error.h"
#include "front/mock/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

static void check_fault(const struct fault *f)
{
	REQUIRE(f->status == 0 || (f->status >= 200 && f->status <= 599));
	REQUIRE(f->garbage.len <= (64u << 10));
	REQUIRE(f->end == FAULT_REPLY || f->end == FAULT_RESET || (!f->status && !f->has_body && !f->truncated));
	REQUIRE(!f->endless || !f->gzip);
	for (size_t i = 0; i < f->header_count; i++) {
		REQUIRE(f->headers[i].name.len);
		REQUIRE(!memchr(f->headers[i].name.ptr, '\r', f->headers[i].name.len) &&
		        !memchr(f->headers[i].name.ptr, '\0', f->headers[i].name.len));
		REQUIRE(!str_contains(f->headers[i].value, STR("\r")) && !str_contains(f->headers[i].value, STR("\n")));
	}
}

static void check_rules(struct script *s)
{
	struct script_request r = { 1, STR("the last user message"), STR("session"), STR("/v1/chat/completions") };

	for (size_t i = 0; i < s->count; i++) {
		const struct rule *rule = &s->rules[i];
		REQUIRE(rule->share >= 0 && rule->share <= 1);
		for (size_t j = 0; j < rule->number_count; j++)
			REQUIRE(rule->numbers[j].first >= 1 && rule->numbers[j].first <= rule->numbers[j].last);
		check_fault(&rule->fault);
	}
	for (r.number = 1; r.number < 20; r.number++)
		(void)script_match(s, &r);
	for (size_t i = 0; i < s->count; i++)
		REQUIRE(!s->rules[i].times || s->rules[i].fired <= s->rules[i].times);
}

static int parse(struct str text, size_t *ret_errors)
{
	struct script s;
	struct problems problems;
	int code;

	script_init(&s);
	problems_init(&problems);
	code = script_parse(&s, text, &problems);
	REQUIRE((code == 0) == (problems.errors == 0));
	REQUIRE(code == 0 || code == FF_EDATA);
	for (const struct problem *p = problems.first; p; p = p->next)
		REQUIRE(p->text[0] && (p->pointer[0] == '\0' || p->pointer[0] == '/' || strncmp(p->pointer, "...", 3) == 0));
	if (!code)
		check_rules(&s);
	*ret_errors = problems.errors;
	problems_release(&problems);
	script_release(&s);
	return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_of((const char *)data, size);
	size_t first, second;

	REQUIRE(parse(text, &first) == parse(text, &second) && first == second);
	return 0;
}
