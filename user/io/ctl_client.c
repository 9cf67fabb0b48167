/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/ctl_client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/identity.h"
#include "base/own.h"
#include "pure/msg.h"

#define ANSWER_WITHIN_S 30 /* a reload of a large config takes a while */
#define PACKET_MAX 8192

static int connect_to(const char *path, const char *instance, int *out, struct client_error *e)
{
	auto_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct timeval wait = {.tv_sec = ANSWER_WITHIN_S};
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (fd < 0)
		return client_fail(e, -errno, "cannot open a socket: %s", strerror(errno));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	memcpy(sa.sun_path, path, MSG_PATH_MAX);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		if (errno == EACCES || errno == EPERM)
			return client_not_allowed(e, path);
		return client_no_daemon(e, instance, path, strerror(errno));
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return client_fail(e, -errno, "%s: %s", path, strerror(errno));
	if (!identity_is_daemon(peer.uid))
		return client_fail(e, -EPERM,
				   "%s is served by uid %u, which is neither root, " IDENTITY_DAEMON
				   " nor you",
				   path, peer.uid);
	*out = take_fd(&fd);
	return 0;
}

static int read_reply(const char *packet, size_t size, uint32_t seq, struct ctl_reply *reply,
		      struct client_error *e)
{
	const void *data = packet;
	const struct nlmsghdr *m = msg_next(&data, &size);
	struct msg_reply r;

	if (m && msg_version(m) != SHUNT_MSG_VERSION)
		return client_other_version(e, msg_version(m),
					    msg_get_reply(m, &r) < 0 ? "" : r.release);
	if (!m || msg_get_reply(m, &r) < 0)
		return client_fail(e, -EBADMSG, "shuntd sent what shunt does not understand");
	if (r.code == EPROTONOSUPPORT)
		return client_other_version(e, r.version, r.release);
	if (r.code == EOPNOTSUPP && r.release[0])
		return client_not_known(e, r.release);
	if (msg_seq(m) != seq && r.code == EPERM) /* refused before it had read anything */
		return client_not_allowed(e, "the control socket");
	if (msg_seq(m) != seq)
		return client_fail(e, -EBUSY, "shuntd: %s",
				   r.text[0] ? r.text : strerror((int)r.code));
	reply->status = -(int)r.code;
	reply->plan = r.plan;
	reply->watch = r.watch;
	memcpy(reply->level, r.level, sizeof(reply->level));
	memcpy(reply->configured, r.configured, sizeof(reply->configured));
	memcpy(reply->text, r.text, sizeof(reply->text));
	return 0;
}

static int no_answer(struct client_error *e, int err)
{
	if (err == EAGAIN)
		return client_fail(e, -ETIMEDOUT,
				   "shuntd has not answered for %d s; it may still carry the "
				   "command out",
				   ANSWER_WITHIN_S);
	return client_fail(e, -ECONNRESET,
			   "shuntd closed the connection before it answered; whether the command "
			   "was carried out is not known");
}

int ctl_client_call(const char *run_dir, const char *instance, const struct ctl_command *command,
		    struct ctl_reply *reply, struct client_error *e)
{
	char packet[PACKET_MAX] __attribute__((aligned(8)));
	struct msg_out o = {.buf = packet, .size = sizeof(packet), .flags = 1, .seq = 1};
	char path[MSG_PATH_MAX];
	auto_close int fd = -1;
	ssize_t n;
	int err = msg_path(run_dir, instance, ".sock", path);

	if (err < 0)
		return client_fail(e, err,
				   "\"%s\" is no name of an instance (no \"/\", no dot in front), "
				   "or --run-dir "
				   "is too long",
				   instance);
	err = connect_to(path, instance, &fd, e);
	if (err < 0)
		return err;
	err = msg_put_command(&o, command);
	if (err < 0)
		return client_fail(e, err, "cannot encode the command");
	/* A daemon that refuses us answers and closes: its answer is there even if sending fails. */
	if (send(fd, o.buf, o.used, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
		return no_answer(e, errno);
	n = recv(fd, packet, sizeof(packet), 0);
	if (n < 0 && errno == ECONNRESET) /* closed without reading ours: its answer comes second */
		n = recv(fd, packet, sizeof(packet), 0);
	if (n <= 0)
		return no_answer(e, n < 0 ? errno : ECONNRESET);
	return read_reply(packet, (size_t)n, o.seq, reply, e);
}
