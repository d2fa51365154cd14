/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last program of the lab machine's boot, its process 1: runs the commands that arrive on
 * the virtio port "lab" and sends back what they print and how they end. Several run at once,
 * each on a channel of its own. Also reaps whatever loses its parent, as process 1 must.
 *
 * One thread, one poll() loop. The other end of the wire is tests/vm/lab/wire.py; both speak
 * in frames: channel, kind, size (32 bits each, little endian), then so many bytes.
 *
 *     to here    'X' execute     strings, see execute()     'I' standard input, empty = its end
 *                'W' window      rows, columns (32 bits)    'S' signal to the command (32 bits)
 *                'P' power off
 *     from here  'U' machine up  seconds since boot         'O' 'E' standard output, error
 *                'A' input taken, the next may come         'R' result, the exit code (32 bits)
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define N_CHANNELS 64
#define CHUNK      32768     /* what one write to a virtio port takes at most */
#define FRAME_MAX  (1 << 22) /* an 'X' with a long command line */
#define GRACE_MS   200       /* how long output may trail a command that has ended */

typedef struct Frame {
	uint32_t channel;
	uint32_t kind;
	uint32_t size;
} Frame;

typedef struct Channel {
	uint32_t id;
	pid_t pid; /* of the command, which leads its session; 0 once it has ended */
	int code;
	int64_t ended_ms;
	int in, out, err; /* our ends; -1 when closed; in == out on a terminal */
	char *input;      /* not yet taken by the command */
	size_t input_size, input_done;
	bool used, input_ends, is_terminal;
} Channel;

static Channel channels[N_CHANNELS];
static int port = -1;

static _Noreturn void power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	_exit(1); /* process 1 can't end otherwise: the kernel panics and QEMU ends */
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "lab: runner: %s: %s\n", what, strerror(errno));
	power_off();
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The port doesn't block, so that the kernel need not spin until the host has read. */
static void port_write(const void *data, size_t size)
{
	const char *p = data;
	while (size > 0) {
		ssize_t n = write(port, p, size);
		if (n < 0 && errno == EAGAIN) {
			struct pollfd wait = { .fd = port, .events = POLLOUT };
			poll(&wait, 1, 1000);
			continue;
		}
		if (n < 0)
			die("write to the host");
		p += n;
		size -= (size_t) n;
	}
}

static void port_read(void *data, size_t size)
{
	char *p = data;
	while (size > 0) {
		ssize_t n = read(port, p, size);
		if (n < 0 && errno == EAGAIN) {
			struct pollfd wait = { .fd = port, .events = POLLIN };
			poll(&wait, 1, 1000);
			continue;
		}
		if (n <= 0) /* zero: nobody is left out there who wants this machine */
			die("read from the host");
		p += n;
		size -= (size_t) n;
	}
}

/* One write for head and body: every write is an exit to the emulator. */
static void send_frame(uint32_t channel, uint32_t kind, const void *data, size_t size)
{
	static char buffer[sizeof(Frame) + CHUNK];
	Frame head = { channel, kind, (uint32_t) size };
	memcpy(buffer, &head, sizeof head);
	memcpy(buffer + sizeof head, data, size);
	port_write(buffer, sizeof head + size);
}

static void send_result(uint32_t channel, int code)
{
	uint32_t value = (uint32_t) code;
	send_frame(channel, 'R', &value, sizeof value);
}

static Channel *find_channel(uint32_t id)
{
	for (size_t i = 0; i < N_CHANNELS; i++)
		if (channels[i].used && channels[i].id == id)
			return &channels[i];
	return NULL;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_input(Channel *c)
{
	free(c->input);
	c->input = NULL;
	if (c->is_terminal) { /* the terminal stays open for its output: send it end-of-file */
		if (c->in >= 0)
			(void) !write(c->in, "\004", 1);
		c->in = -1;
		return;
	}
	close_fd(&c->in);
}

static void open_pipe(int *read_end, int *write_end)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0)
		die("pipe");
	*read_end = fds[0];
	*write_end = fds[1];
}

static void set_window(int fd, uint32_t rows, uint32_t columns)
{
	struct winsize size = { .ws_row = (uint16_t) rows, .ws_col = (uint16_t) columns };
	ioctl(fd, TIOCSWINSZ, &size);
}

/* What an 'X' asks for; its strings lie in the frame. */
typedef struct Command {
	char **argv;
	char **env;
	const char *cwd;
	const char *window; /* "24x80", or empty: no terminal */
} Command;

/* In the child: never returns. The sentences go to the command's own standard error. */
static _Noreturn void become(const Command *command, const int streams[3], bool on_terminal)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	if (on_terminal)
		ioctl(streams[0], TIOCSCTTY, 0);
	for (int i = 0; i < 3; i++)
		dup2(streams[i], i);
	if (chdir(command->cwd) < 0)
		(void) !chdir("/"); /* a directory that isn't visible in here */
	environ = command->env;
	execvp(command->argv[0], command->argv);
	fprintf(stderr, "lab: %s: %s\n", command->argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static int open_terminal(Channel *c, uint32_t rows, uint32_t columns)
{
	c->is_terminal = true;
	c->in = c->out = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (c->out < 0 || grantpt(c->out) < 0 || unlockpt(c->out) < 0)
		die("terminal");
	set_window(c->out, rows, columns);
	return open(ptsname(c->out), O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static void start(Channel *c, const Command *command)
{
	int streams[3];
	unsigned rows = 0, columns = 0;

	if (sscanf(command->window, "%ux%u", &rows, &columns) == 2) {
		streams[0] = streams[1] = streams[2] = open_terminal(c, rows, columns);
	} else {
		open_pipe(&streams[0], &c->in);
		open_pipe(&c->out, &streams[1]);
		open_pipe(&c->err, &streams[2]);
		fcntl(c->err, F_SETFL, O_NONBLOCK);
	}
	fcntl(c->in, F_SETFL, O_NONBLOCK);
	fcntl(c->out, F_SETFL, O_NONBLOCK);

	c->pid = fork();
	if (c->pid < 0)
		die("fork");
	if (c->pid == 0)
		become(command, streams, c->is_terminal);
	for (int i = 0; i < (c->is_terminal ? 1 : 3); i++)
		close(streams[i]);
}

/* An 'X' holds strings: window, directory, the number of variables, the variables, the command and
 * its arguments. */
static void execute(uint32_t id, char *data, size_t size)
{
	Channel *c = NULL;
	for (size_t i = 0; i < N_CHANNELS && c == NULL; i++)
		if (!channels[i].used)
			c = &channels[i];
	if (c == NULL || size == 0 || data[size - 1] != '\0') {
		send_result(id, 125);
		return;
	}

	size_t n = 0;
	for (size_t i = 0; i < size; i++)
		n += data[i] == '\0';
	char **strings = calloc(n + 1, sizeof *strings);
	for (size_t i = 0; i < n; i++, data += strlen(data) + 1)
		strings[i] = data;
	size_t n_env = n > 3 ? strtoul(strings[2], NULL, 10) : n;
	if (n < 3 + n_env + 1) {
		free(strings);
		send_result(id, 125);
		return;
	}
	char **env = calloc(n_env + 1, sizeof *env);
	memcpy(env, strings + 3, n_env * sizeof *env);
	for (size_t i = 0; i < n_env; i++)
		if (strncmp(env[i], "PATH=", 5) == 0)
			setenv("PATH", env[i] + 5, 1); /* execvp() looks in ours */

	*c = (Channel){ .id = id, .used = true, .in = -1, .out = -1, .err = -1 };
	Command command = { strings + 3 + n_env, env, strings[1], strings[0] };
	start(c, &command);
	free(env);
	free(strings);
	send_frame(id, 'A', "", 0);
}

static void take_frame(const Frame *head, char *data)
{
	if (head->kind == 'X') {
		execute(head->channel, data, head->size);
		return;
	}
	if (head->kind == 'P')
		power_off();
	Channel *c = find_channel(head->channel);
	if (c == NULL) /* it has ended while the frame was on its way */
		return;
	uint32_t values[2] = { 0, 0 };
	memcpy(values, data, head->size < sizeof values ? head->size : sizeof values);
	switch (head->kind) {
	case 'I':
		if (head->size == 0) {
			c->input_ends = true;
		} else {
			free(c->input);
			c->input = malloc(head->size);
			memcpy(c->input, data, head->size);
			c->input_size = head->size;
			c->input_done = 0;
		}
		break;
	case 'S':
		if (c->pid > 0)
			kill(-c->pid, (int) values[0]);
		break;
	case 'W':
		if (c->is_terminal && c->out >= 0)
			set_window(c->out, values[0], values[1]);
		break;
	default:
		break;
	}
}

static void receive(void)
{
	Frame head;
	port_read(&head, sizeof head);
	if (head.size > FRAME_MAX) {
		errno = EMSGSIZE;
		die("frame");
	}
	char *data = malloc(head.size + 1);
	port_read(data, head.size);
	take_frame(&head, data);
	free(data);
}

static void feed(Channel *c)
{
	if (c->input == NULL || c->in < 0)
		return;
	ssize_t n = write(c->in, c->input + c->input_done, c->input_size - c->input_done);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0) { /* it reads no more: swallow the rest, as a shell's pipe would */
		close_input(c);
		return;
	}
	c->input_done += (size_t) n;
	if (c->input_done == c->input_size) {
		free(c->input);
		c->input = NULL;
		send_frame(c->id, 'A', "", 0);
	}
}

/* Returns false when the stream has nothing (more) to read. */
static bool drain(Channel *c, int *fd, uint32_t kind)
{
	char buffer[CHUNK - sizeof(Frame)];
	if (*fd < 0)
		return false;
	ssize_t n = read(*fd, buffer, sizeof buffer);
	if (n > 0) {
		send_frame(c->id, kind, buffer, (size_t) n);
		return true;
	}
	if (n < 0 && errno == EAGAIN)
		return false;
	if (c->in == *fd)
		c->in = -1;
	close_fd(fd); /* end of file, or EIO: the terminal's last user has gone */
	return false;
}

static void reap(void)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < N_CHANNELS; i++) {
			Channel *c = &channels[i];
			if (!c->used || c->pid != pid)
				continue;
			c->pid = 0;
			c->ended_ms = now_ms();
			c->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		}
}

/* What a command leaves running in the background may hold its streams open for ever, so the
 * result waits for their end only a moment. */
static void finish(Channel *c)
{
	if (c->pid != 0)
		return;
	while (drain(c, &c->out, 'O') || drain(c, &c->err, 'E'))
		;
	bool ended = c->out < 0 && c->err < 0;
	if (!ended && now_ms() - c->ended_ms < GRACE_MS)
		return;
	free(c->input);
	if (c->in == c->out)
		c->in = -1;
	close_fd(&c->in);
	close_fd(&c->out);
	close_fd(&c->err);
	c->used = false;
	send_result(c->id, c->code);
}

static int open_port(void)
{
	DIR *dir = opendir("/sys/class/virtio-ports");
	struct dirent *entry;
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		char path[512], name[16] = "";
		snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", entry->d_name);
		FILE *file = fopen(path, "re");
		if (file == NULL)
			continue;
		bool found = fgets(name, sizeof name, file) != NULL && strcmp(name, "lab\n") == 0;
		fclose(file);
		if (!found)
			continue;
		snprintf(path, sizeof path, "/dev/%s", entry->d_name);
		closedir(dir);
		return open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	}
	errno = ENODEV;
	return -1;
}

/* Three entries a channel; those of a channel that isn't used, or doesn't wait, are -1. */
static bool look_at_channels(struct pollfd *fds)
{
	bool ending = false;
	for (size_t i = 0; i < N_CHANNELS; i++, fds += 3) {
		Channel *c = &channels[i];
		fds[0].fd = fds[1].fd = fds[2].fd = -1;
		if (!c->used)
			continue;
		if (c->input == NULL && c->input_ends && c->in >= 0)
			close_input(c);
		ending |= c->pid == 0;
		fds[0] = (struct pollfd){ .fd = c->input != NULL ? c->in : -1, .events = POLLOUT };
		fds[1] = (struct pollfd){ .fd = c->out, .events = POLLIN };
		fds[2] = (struct pollfd){ .fd = c->err, .events = POLLIN };
	}
	return ending;
}

static void serve_channels(const struct pollfd *fds)
{
	for (size_t i = 0; i < N_CHANNELS; i++, fds += 3) {
		Channel *c = &channels[i];
		if (fds[0].fd >= 0 && fds[0].revents != 0)
			feed(c);
		if (fds[1].fd >= 0 && fds[1].revents != 0)
			drain(c, &c->out, 'O');
		if (fds[2].fd >= 0 && fds[2].revents != 0)
			drain(c, &c->err, 'E');
		if (c->used)
			finish(c);
	}
}

static _Noreturn void run(int signals)
{
	struct pollfd fds[2 + 3 * N_CHANNELS];
	fds[0] = (struct pollfd){ .fd = port, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = signals, .events = POLLIN };

	for (;;) {
		bool ending = look_at_channels(fds + 2);
		if (poll(fds, 2 + 3 * N_CHANNELS, ending ? GRACE_MS / 4 : -1) < 0 && errno != EINTR)
			die("poll");
		if (fds[1].revents != 0) {
			struct signalfd_siginfo ignored;
			(void) !read(signals, &ignored, sizeof ignored);
			reap();
		}
		serve_channels(fds + 2);
		if (fds[0].revents & (POLLIN | POLLHUP))
			receive();
	}
}

int main(void)
{
	sigset_t child;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	signal(SIGPIPE, SIG_IGN);
	int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	port = open_port();
	if (signals < 0 || port < 0)
		die("open the port to the host");
	char up[32];
	snprintf(up, sizeof up, "%.1f", (double) now_ms() / 1000);
	send_frame(0, 'U', up, strlen(up));
	reap();
	run(signals);
}
