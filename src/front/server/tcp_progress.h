/* tcp_progress.h: how far a connection's peer has come with reading. */
#ifndef FF_FRONT_SERVER_TCP_PROGRESS_H
#define FF_FRONT_SERVER_TCP_PROGRESS_H

#include <stdint.h>

/* Bytes that the peer has acknowledged since the connection began; 0 where the kernel does not say. */
uint64_t tcp_acknowledged(int fd);

#endif
