/* The command behind a supervisor that is measured: appends to the file $MARK the moment at which it
   starts (S), gets SIGHUP (H), and ends for SIGTERM (T), in nanoseconds of CLOCK_MONOTONIC. C, because
   its first moment must be that of main. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int out;

static void mark(char what)
{
	struct timespec now;
	char line[32];
	int at = sizeof line;
	long long n;

	clock_gettime(CLOCK_MONOTONIC, &now);
	n = now.tv_sec * 1000000000LL + now.tv_nsec;
	line[--at] = '\n';
	do
		line[--at] = '0' + n % 10;
	while (n /= 10);
	line[--at] = ' ';
	line[--at] = what;
	if (write(out, line + at, sizeof line - at) < 0)
		_exit(1);
}

static void on_hup(int sig) { (void)sig; mark('H'); }
static void on_term(int sig) { (void)sig; mark('T'); _exit(0); }

int main(void)
{
	const char *file = getenv("MARK");

	if (!file || (out = open(file, O_WRONLY | O_APPEND | O_CLOEXEC)) < 0)
		return 1;
	signal(SIGHUP, on_hup);
	signal(SIGTERM, on_term);
	mark('S');
	for (;;)
		pause();
}
