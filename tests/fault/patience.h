/* patience.h: a round of a fault loop that hangs ends the program, which says in which round it was. */
#ifndef FF_TESTS_FAULT_PATIENCE_H
#define FF_TESTS_FAULT_PATIENCE_H

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#define PATIENCE_S 20

static uint64_t patience_round;

static inline void patience_over(int signal_number)
{
	(void)signal_number;
	dprintf(STDERR_FILENO, "allocation %ju: the run should end, it hangs\n", (uintmax_t)patience_round);
	_exit(1);
}

static inline void patience_begin(uint64_t n)
{
	patience_round = n;
	signal(SIGALRM, patience_over);
	alarm(PATIENCE_S);
}

static inline void patience_end(void)
{
	alarm(0);
}

#endif
