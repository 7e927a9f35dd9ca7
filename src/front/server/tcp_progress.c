/* tcp_progress.c: TCP_INFO. In a file of its own, because the kernel's header, which knows the field, clashes with libc's. */
#include "front/server/tcp_progress.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

uint64_t tcp_acknowledged(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	memset(&info, 0, sizeof(info));
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) ? 0 : info.tcpi_bytes_acked;
}
