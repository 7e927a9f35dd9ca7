/*
 * fault_loop.h: runs a piece of work with allocation 1, then 2, 3, … failing, until a run meets no fault.
 *
 * The work returns 0 or FF_ENOMEM; it must free what it holds in both cases (the leak checker of the sanitizer build looks). Each fault is tried as a
 * single failure and as one that lasts, because code that retries behaves differently in the two.
 */
#ifndef FF_TESTS_FAULT_LOOP_H
#define FF_TESTS_FAULT_LOOP_H

#include "base/alloc.h"
#include "base/error.h"

#define FAULT_LOOP_MOST 100000u

static inline uint64_t fault_loop_mode(int (*work)(void), bool forever)
{
	for (uint64_t n = 1; n < FAULT_LOOP_MOST; n++) {
		uint64_t hits;
		int code;

		mem_fault_arm(n, forever);
		code = work();
		hits = mem_fault_hits();
		mem_fault_arm(0, false);
		if (code != 0 && code != FF_ENOMEM)
			fail_msg("with allocation %ju failing: code %s; expected FF_OK or FF_ENOMEM", (uintmax_t)n,
			         error_code_name(code));
		if (code != 0 && hits == 0)
			fail_msg("failed with %s although no allocation failed", error_code_name(code));
		if (hits == 0)
			return n - 1;
	}
	fail_msg("still failing allocations after %u rounds", FAULT_LOOP_MOST);
	return 0;
}

/* Returns how many allocations the work makes when all goes well. */
static inline uint64_t fault_loop(int (*work)(void))
{
	(void)fault_loop_mode(work, true);
	return fault_loop_mode(work, false);
}

#endif
