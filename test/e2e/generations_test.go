package e2e

import (
	"strings"
	"testing"
	"time"
)

// A new generation that cannot take the place of the old one changes nothing: the old one serves on, no request fails,
// one line says why, and of the new one no process, descriptor or socket is left.
func TestBadGenerations(t *testing.T) {
	server := func(bad string) []string { return strings.Fields("/server -bad " + bad + " tcp=:8000") }
	option := func(name, value string) []string { return []string{"-e", "SECRET_ENTRYPOINT_" + name + "=" + value} }
	soon := option("READY_TIMEOUT", "3s")
	for _, c := range []struct {
		name     string
		settings []string
		command  []string
		why      string // of the line that says it
	}{
		{"dies at once", nil, server("dies"), "generation 2 ended before it was ready: exit status 3"},
		{"dies after it listens", nil, server("dies-listening"), "generation 2 ended before it was ready: exit status 3"},
		{"never accepts", soon, server("deaf"), "generation 2 was not ready within 3s: it has not accepted a connection at [::]:8000"},
		{
			"answers 500", append(option("READY", "http:8000/health"), soon...), server("fails"),
			"generation 2 was not ready within 3s: it has not answered GET /health at [::]:8000: status 500",
		},
		{"listens at another port", soon, server("moves"), "generation 2 was not ready within 3s: it does not listen at [::]:8000"},
		{"needs 40 s, and has 3", soon, server("late"), "generation 2 was not ready within 3s: it does not listen at [::]:8000"},
		{
			"finds too little memory",
			[]string{"--memory", "256m"},
			strings.Fields("/server -hold 150 tcp=:8000"),
			"there is not enough memory for two generations at once",
		},
		{
			"cannot fork",
			[]string{"--pids-limit", "55"},
			strings.Fields("gunicorn --bind :8000 --workers 24 wsgi:app"),
			"the container's pids limit is too low for two generations at once",
		},
		{
			"finds its UDP port taken", nil, strings.Fields("/server udp=:8000 tcp=:8000"),
			"generation 2 ended before it was ready: exit status 3",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, append(append(c.settings, option("POLL", "10m")...), drain...), c.command...)
			s.serves(webProtocol, port8000)
			s.log.await(1, "committing -> running", serverPatience)
			load := gather(t, s.network, webProtocol, port8000)
			load.each(s, 1)
			load.stop()
			before := s.atRest()
			load = gather(t, s.network, webProtocol, port8000)
			load.each(s, 1)

			s.set()
			s.log.await(1, "the update is not used: generation 1 goes on", serverPatience)
			load.each(s, 1)
			load.stop()
			t.Logf("fresh %v; kept %v; slow %v; %v", &load.fresh, &load.kept, &load.slow, before)
			load.check(s)
			for _, all := range []*tally{&load.fresh, &load.kept, &load.slow} {
				if served, _ := all.count(); all.answered(value(0)) != served {
					t.Error("the new generation has answered")
				}
			}

			errors := s.log.find("secret-entrypoint: error: ")
			if len(errors) != 2 || !strings.Contains(errors[0].text, c.why) {
				t.Errorf("the log does not say %q in one line:\n%s", c.why, s.log)
			}
			if after := s.atRest(); after != before {
				t.Errorf("before: %v; after: %v\n%s", before, after, s.log)
			}
		})
	}
}

// atRest is what there is when the load has gone and PID 1 has let go of the sockets that do not listen: programs close
// connections a moment later, and it looks at sockets that are not used after some seconds.
func (s *server) atRest() residue {
	s.t.Helper()
	var last residue
	s.until("it is at rest", func() bool {
		time.Sleep(200 * time.Millisecond)
		now := s.residue()
		same := now == last && now.held == now.listening
		last = now
		return same
	})
	return last
}

// Programs of which there may be one only, behind replace: the second does not start, and the first goes on.
func TestSecondDoesNotStart(t *testing.T) {
	for _, c := range []struct {
		name    string
		command []string
		says    string // the program itself
	}{
		{"cron", strings.Fields("cron -f"), "can't lock /var/run/crond.pid"},
		{
			"Apache with one PidFile",
			shell("export PID_FILE=/tmp/apache.pid; exec apache2 -f /srv/apache.conf -D FOREGROUND"),
			"already running",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, []string{"-e", "SECRET_ENTRYPOINT_POLL=10m"}, c.command...)
			s.log.await(1, "committing -> running", serverPatience)
			if c.name != "cron" {
				s.serves(webProtocol, port8000)
			}
			s.set()
			s.log.await(1, "the update is not used: generation 1 goes on", serverPatience)
			if len(s.log.find(c.says)) == 0 || len(s.log.find("generation 2 ended before it was ready")) != 1 {
				t.Errorf("the log does not say %q:\n%s", c.says, s.log)
			}
		})
	}
}

// A server that takes forty seconds to start takes the place of the old one when it has that time.
func TestLateGeneration(t *testing.T) {
	t.Parallel()
	s := newServer(t, drain, strings.Fields("/server -bad late tcp=:8000")...)
	s.serves(webProtocol, port8000)
	load := gather(t, s.network, webProtocol, port8000)
	load.each(s, 1)
	s.set()
	s.log.await(1, "KEY changed: replaced after", serverPatience)
	s.until("the new generation answers", func() bool { return load.slow.answered(value(1)) > 0 })
	load.stop()
	t.Logf("fresh %v; kept %v; slow %v", &load.fresh, &load.kept, &load.slow)
	load.check(s)
}

// A server on a Unix socket beside its port is restarted, which is told.
func TestUnixSocketRestarts(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil, strings.Fields("/server unix=/tmp/server.sock tcp=:8000")...)
	s.serves(webProtocol, port8000)
	s.set()
	s.log.await(1, "KEY changed: restarted after", serverPatience)
	s.serves(webProtocol, port8000)
	const why = "the command is restarted and not replaced: it listens on a Unix socket (/tmp/server.sock)"
	if len(s.log.find(why)) != 1 {
		t.Errorf("the log does not say %q:\n%s", why, s.log)
	}
}
