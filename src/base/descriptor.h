/* descriptor.h: whether the process may still open files, asked before a library that would rather abort. */
#ifndef FF_BASE_DESCRIPTOR_H
#define FF_BASE_DESCRIPTOR_H

#include <stdbool.h>

#define DESCRIPTORS_OF_A_LOOP 6 /* libuv: epoll, a pipe for signals as such and one for the loop's, an event */

/* True when `count` descriptors (16 at most) can be open at once beside those that are; false leaves errno. */
bool descriptors_available(unsigned count);

#endif
