/*
 * descriptor.c: descriptors tried out. libuv calls abort when it cannot open the pipe of its signal handling, and a library must not end its host:
 * what a loop needs is opened and closed before libuv is asked. Another thread may take them meanwhile; nobody can rule that out. A few microseconds.
 */
#include "base/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/macros.h"

bool descriptors_available(unsigned count)
{
	int fds[16], error_number = 0;
	unsigned opened = 0;

	count = MIN(count, (unsigned)ARRAY_SIZE(fds));
	while (opened < count) {
		fds[opened] = open("/", O_PATH | O_CLOEXEC);
		if (fds[opened] < 0) {
			error_number = errno;
			break;
		}
		opened++;
	}
	while (opened-- > 0)
		close(fds[opened]);
	errno = error_number;
	return error_number == 0;
}
