package sockets

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestParseStatus(t *testing.T) {
	const real = "Name:\tpython3\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t17\nNgid:\t0\nPid:\t18\nPPid:\t1\n" +
		"TracerPid:\t0\nUid:\t1000\t1001\t1000\t1000\nGid:\t2000\t2001\t2000\t2000\nNoNewPrivs:\t1\n"
	for _, test := range []struct {
		name, text string
		want       status
		ok         bool
	}{
		{"a real one", real, status{tgid: 17, uid: 1001, gid: 2001, noNewPrivs: true}, true},
		{"without no_new_privs", strings.Replace(real, "NoNewPrivs", "Other", 1), status{tgid: 17, uid: 1001, gid: 2001}, true},
		{"a name like a field", strings.Replace(real, "python3", `x\nUid:\t0 0`, 1), status{tgid: 17, uid: 1001, gid: 2001, noNewPrivs: true}, true},
		{"a zombie", strings.Replace(real, "S (sleeping)", "Z (zombie)", 1), status{
			tgid: 17, uid: 1001, gid: 2001, noNewPrivs: true, zombie: true,
		}, true},
		{"cut", real[:len(real)-60], status{}, false},
		{"one number", "Uid:\t1\n", status{}, false},
		{"no number", "Tgid:\tx\nPPid:\t1\nUid:\t1\t1\nGid:\t1\t1\n", status{}, false},
		{"negative", "Tgid:\t-1\nPPid:\t1\nUid:\t1\t1\nGid:\t1\t1\n", status{}, false},
		{"empty", "", status{}, false},
	} {
		got, ok := parseStatus([]byte(test.text))
		if ok != test.ok || ok && got != test.want {
			t.Errorf("%s: %+v, %v", test.name, got, ok)
		}
	}
}

func TestParseLines(t *testing.T) {
	if flags, ok := parseFlags([]byte("pos:\t0\nflags:\t02004002\nmnt_id:\t9\nino:\t1\n")); !ok || flags != 0o2004002 {
		t.Errorf("%o %v", flags, ok)
	}
	for _, text := range []string{"", "flags:\t9\n", "flags:\n", "pos:\t0\n"} {
		if flags, ok := parseFlags([]byte(text)); ok {
			t.Errorf("%q: %o", text, flags)
		}
	}

	const tfd = "tfd:        5 events:       19 data: ffffffff5  pos:0 ino:4d2 sdev:8\n"
	if !watched([]byte(tfd), 0x4d2) || watched([]byte(tfd), 0x4d) || watched([]byte("pos:0 ino:4d2\n"), 0x4d2) || watched(nil, 0) {
		t.Error("an epoll set")
	}

	for text, want := range map[string]uint64{
		"socket:[4711]": 4711, "socket:[]": 0, "socket:[4711": 0, "/tmp/socket:[4711]": 0, "socket:[-1]": 0,
		"socket:[4711] (deleted)": 0, "anon_inode:[eventpoll]": 0, "": 0, "socket:[0]": 0,
	} {
		if got, ok := socketInode(text); got != want || ok != (want != 0) {
			t.Errorf("%q: %d, %v", text, got, ok)
		}
	}
}

func TestParseRow(t *testing.T) {
	const heading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	for text, want := range map[string]row{
		"   0: 0100007F:5585 00000000:0000 0A 00000000:00000001 00:00000000 00000000  1000        0 345911 1 0000000000000000 100 0 0 10 0\n": {endpoint{mapped(127, 0, 0, 1), 21893}, endpoint{mapped(0, 0, 0, 0), 0}, 10, 345911},
		"1234: 0101007F:1F90 0200007F:ABCD 01 00000000:00000000 02:00000A2C 00000000     0        0 7 2\n":                                    {endpoint{mapped(127, 0, 1, 1), 8080}, endpoint{mapped(127, 0, 0, 2), 0xabcd}, 1, 7},
		"   1: 00000000000000000000000001000000:0050 0000000000000000FFFF00000100007F:C350 08 0:0 00:0 0 0 0 0 1\n":                           {endpoint{[16]byte{15: 1}, 80}, endpoint{mapped(127, 0, 0, 1), 50000}, 8, 0},
	} {
		if got, ok := parseRow([]byte(text)); !ok || got != want {
			t.Errorf("%q:\n%+v, not\n%+v", text, got, want)
		}
	}
	for _, text := range []string{
		"", heading, "\n", "0: 0100007F:5585\n",
		"   0: 0100007:5585 00000000:0000 0A 0:1 00:0 0  1000        0 345911\n",
		"   0: 0100007F:15585 00000000:0000 0A 0:1 00:0 0  1000        0 345911\n",
		"   0: 0100007F:5585 00000000:0000 1AA 0:1 00:0 0  1000        0 345911\n",
		"   0: 0100007F:5585 00000000:0000 0A 0:1 00:0 0  1000        0 x\n",
		"   0: 010000FG:5585 00000000:0000 0A 0:1 00:0 0  1000        0 1\n",
	} {
		if got, ok := parseRow([]byte(text)); ok {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestAddress(t *testing.T) {
	for want, a := range map[string]Address{
		"0.0.0.0:80":             {IP: mapped(0, 0, 0, 0), Port: 80},
		"192.0.2.1:65535":        {IP: mapped(192, 0, 2, 1), Port: 65535},
		"[::]:80":                {V6: true, Port: 80},
		"[::1]:443":              {V6: true, IP: [16]byte{15: 1}, Port: 443},
		"[::ffff:127.0.0.1]:1":   {V6: true, IP: mapped(127, 0, 0, 1), Port: 1},
		"[fd00::1:0:0:1]:1":      {V6: true, IP: [16]byte{0: 0xfd, 9: 1, 15: 1}, Port: 1},
		"[fe80::]:1":             {V6: true, IP: [16]byte{0: 0xfe, 1: 0x80}, Port: 1},
		"[1:0:2:3:4:5:6:7]:1":    {V6: true, IP: [16]byte{1: 1, 5: 2, 7: 3, 9: 4, 11: 5, 13: 6, 15: 7}, Port: 1},
		"[1:2:3:4:5:6:7:8]:1":    {V6: true, IP: [16]byte{1: 1, 3: 2, 5: 3, 7: 4, 9: 5, 11: 6, 13: 7, 15: 8}, Port: 1},
		"[2001:db8:0:1::2:3]:22": {V6: true, IP: [16]byte{0: 0x20, 1: 1, 2: 0xd, 3: 0xb8, 7: 1, 13: 2, 15: 3}, Port: 22},
	} {
		if got := a.String(); got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
}

// Whatever /proc says, nothing is made of it that is not there.
func FuzzProc(f *testing.F) {
	for _, path := range []string{"/proc/self/status", "/proc/self/fdinfo/1", "/proc/net/tcp", "/proc/net/tcp6"} {
		if text, err := os.ReadFile(path); err == nil {
			f.Add(text[:min(len(text), 2000)])
		}
	}
	f.Add([]byte("tfd: 5 events: 19 data: 5  pos:0 ino:4d2 sdev:8\nflags:\t02\n"))
	f.Add([]byte("0: 0100007F:5585 00000000:0000 0A 0:1 00:0 0 1000 0 345911\n"))
	f.Add([]byte("socket:[1]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		parseFlags(text)
		watched(text, 0x4d2)
		if s, ok := parseStatus(text); ok && (s.uid < 0 || s.gid < 0 || s.tgid < 0) {
			t.Errorf("%+v", s)
		}
		if inode, ok := socketInode(string(text)); ok && inode == 0 {
			t.Error("inode 0")
		}
		if r, ok := parseRow(text); ok {
			_ = r.local.address().String() + r.remote.address().String()
		}
	})
}

func TestAnswer(t *testing.T) {
	long := strings.Repeat("x", maxLine+1)
	for _, test := range []struct {
		text   string
		status int // 0: not known yet; -1: an error
	}{
		{"HTTP/1.1 200 OK\r\n", 200},
		{"HTTP/1.0 302\n", 302},
		{"HTTP/1.1 500 \r\nX", 500},
		{"HTTP/1.1 200 OK", 0},
		{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 x\r\n", 404},
		{"HTTP/1.1 103 E\r\nLink: x\r\n\r\nHTTP/1.1 200 x\r\n", 200},
		{"HTTP/1.1 101 Switching\r\n", 101},
		{"", 0},
		{"HTTP/2 200\r\n", -1},
		{"HTTP/1.1 2000 OK\r\n", -1},
		{"HTTP/1.1 +20 OK\r\n", -1},
		{"HTTP/1.1 099 OK\r\n", -1},
		{"HTTP/1.1 666 OK\r\n", -1},
		{"HTTP/1.1\r\n", -1},
		{"\x15\x03\x01\x00\x02\x02\n", -1},
		{"HTTP/1.1 200 " + long, -1},
		{"HTTP/1.1 100 x\r\n" + strings.Repeat("a: b\r\n", maxAnswer), -1},
	} {
		for _, size := range []int{1, 3, len(test.text) + 1} {
			var a answer
			var err error
			for text := test.text; len(text) > 0 && err == nil; {
				n := min(size, len(text))
				err = a.add([]byte(text[:n]))
				text = text[n:]
			}
			got := a.status
			if err != nil {
				got = -1
			}
			if got != test.status {
				t.Errorf("%.40q in pieces of %d: %d, not %d", test.text, size, got, test.status)
			}
		}
	}
}

// Whatever a server sends, in whatever pieces: no more is kept than a line, and the status is one.
func FuzzAnswer(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody", 3)
	f.Add("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 x\r\n", 1)
	f.Add("HTTP/1.1 103 x\nHTTP/1.1 103 x\n\n\n", 7)
	f.Fuzz(func(t *testing.T, text string, size int) {
		var a answer
		size = max(size, 1)
		for len(text) > 0 {
			n := min(size, len(text))
			if a.add([]byte(text[:n])) != nil {
				return
			}
			if len(a.kept) > maxLine {
				t.Fatalf("%d bytes are kept", len(a.kept))
			}
			if a.status != 0 && (a.status < 101 || a.status > 599) {
				t.Fatalf("status %d", a.status)
			}
			text = text[n:]
		}
	})
}

func TestValidPath(t *testing.T) {
	for path, want := range map[string]bool{
		"/": true, "/health?x=1&y=%20": true, "": false, "health": false, "/a b": false, "/a\r\nX: y": false, "/\x7f": false,
		"/é": true, "/" + strings.Repeat("x", maxPath): false,
	} {
		if got := ValidPath(path); got != want {
			t.Errorf("%.20q: %v", path, got)
		}
	}
}

// When a drain goes on, by what was seen when.
func TestWaiting(t *testing.T) {
	begin := time.Now()
	type look struct {
		at          time.Duration
		queued      int
		connections int
	}
	const ms = time.Millisecond
	for _, test := range []struct {
		name  string
		limit time.Duration
		looks []look
		over  bool // after the last, and not before
	}{
		{"nothing to wait for", time.Second, []look{{0, 0, 0}, {500 * ms, 0, 0}, {990 * ms, 0, 0}, {1000 * ms, 0, 0}}, true},
		{"not quiet for long enough", time.Second, []look{{0, 0, 0}, {980 * ms, 1, 0}, {1010 * ms, 0, 0}, {1050 * ms, 0, 0}}, false},
		{"quiet again", time.Second, []look{{0, 0, 0}, {980 * ms, 1, 0}, {1010 * ms, 0, 0}, {1060 * ms, 0, 0}}, true},
		{"a queue that shrinks", time.Second, []look{{0, 9, 0}, {900 * ms, 8, 0}, {1800 * ms, 7, 0}, {2700 * ms, 6, 0}}, false},
		{"a queue that does not", time.Second, []look{{0, 9, 0}, {900 * ms, 9, 0}, {1000 * ms, 9, 0}}, true},
		{"a queue that shrinks for a minute", time.Second, []look{{0, 9, 0}, {59500 * ms, 8, 0}, {60000 * ms, 7, 0}}, true},
		{"connections", 3 * time.Second, []look{{0, 0, 5}, {1000 * ms, 0, 5}, {3000 * ms, 0, 1}, {3100 * ms, 0, 0}}, true},
		{"connections to the limit", 3 * time.Second, []look{{0, 0, 5}, {1000 * ms, 0, 5}, {3900 * ms, 0, 5}, {4000 * ms, 0, 5}}, true},
		{"too many to count", 3 * time.Second, []look{{0, 0, -1}, {1000 * ms, 0, -1}, {3900 * ms, 0, -1}, {4000 * ms, 0, -1}}, true},
		{"no limit to wait", 0, []look{{0, 0, 5}, {500 * ms, 0, 5}, {1000 * ms, 0, 5}}, true},
	} {
		w := newWaiting(begin, test.limit)
		for i, l := range test.looks {
			now := begin.Add(l.at)
			over := w.emptied(now, l.queued) && w.over(now, l.connections)
			if want := test.over && i == len(test.looks)-1; over != want {
				t.Errorf("%s: after %v: %v", test.name, l.at, over)
			}
		}
	}
}

// A look may take a second, where tables are long or the machine is busy: what is asked after it
// must not wait for ten.
func TestRest(t *testing.T) {
	const limit = 4 * time.Second
	for _, test := range []struct {
		took, waited, proof, drain time.Duration
	}{
		{took: time.Millisecond, proof: lastPause, drain: tablePause},
		{took: 20 * time.Millisecond, proof: 200 * time.Millisecond, drain: 200 * time.Millisecond},
		{took: 2 * time.Second, proof: time.Second, drain: time.Second},
		{
			took: 2 * time.Second, waited: limit - 300*time.Millisecond,
			proof: time.Second, drain: 300 * time.Millisecond,
		},
		{
			took: time.Millisecond, waited: limit - 30*time.Millisecond,
			proof: lastPause, drain: 30 * time.Millisecond,
		},
	} {
		if got := rest(lastPause, test.took); got != test.proof {
			t.Errorf("a proof whose look took %v rests for %v, want %v", test.took, got, test.proof)
		}
		begin := time.Now()
		w := newWaiting(begin, limit)
		w.served = begin
		if got := w.rest(begin.Add(test.waited), test.took); got != test.drain {
			t.Errorf("a drain whose look took %v, %v after the queues were empty, rests for %v, want %v",
				test.took, test.waited, got, test.drain)
		}
	}
}

// A row of a connection may be there twice, and is one connection; that there is none is looked at
// twice.
func TestCountRows(t *testing.T) {
	const (
		open = "   1: 0100007F:1F90 0100007F:ABCD 01 00000000:00000000 00:00000000 00000000     0        0 7 2\n"
		more = "   2: 0100007F:1F90 0100007F:ABCE 08 00000000:00000000 00:00000000 00000000     0        0 8 2\n"
		past = "   1: 0100007F:1F90 0100007F:ABCD 06 00000000:00000000 00:00000000 00000000     0        0 0 2\n"
	)
	tables := tcpTables
	t.Cleanup(func() { tcpTables = tables })
	tcpTables = []string{t.TempDir() + "/tcp"}
	show := func(text string) {
		t.Helper()
		if err := os.WriteFile(tcpTables[0], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	show(open + more + open)
	c := newConnections(queues{addresses: []Address{{IP: mapped(127, 0, 0, 1), Port: 8080}}})
	for _, step := range []struct {
		rows        string
		open, looks int
	}{
		{open + more + open, 2, 1},
		{more + open + more + open, 2, 1},
		{past + more + past, 1, 1},
		{past, 0, 2},
	} {
		show(step.rows)
		before := c.counts
		if n := c.count(); n != step.open || c.counts-before != step.looks {
			t.Errorf("%q: %d open, by %d looks", step.rows, n, c.counts-before)
		}
	}
}

func TestEnding(t *testing.T) {
	const rest = " 1 5 5 0 -1 %FLAGS 9 0 0 0 1 2 0 0 20 0 %THREADS 0 10 20"
	for _, c := range []struct {
		name, state, flags, threads string
		want                        bool
	}{
		{"server", "S", "4194304", "8", false},
		{"server", "R", "4194308", "8", true},
		{"server", "Z", "4194316", "8", true},
		{"server", "Z", "4194316", "12", true},
		{"server", "Z", "4194316", "1", false},
		{"server", "X", "4194316", "0", false},
		{"a) Z 1", "R", "4", "2", true},
		{"a) Z 1 5 5 0 -1 4 (", "S", "0", "2", false},
		{"server", "R", "-", "2", false},
	} {
		text := "7 (" + c.name + ") " + c.state + strings.NewReplacer("%FLAGS", c.flags, "%THREADS", c.threads).Replace(rest)
		if got := ending([]byte(text)); got != c.want {
			t.Errorf("%q: %v", text, got)
		}
	}
	for _, text := range []string{"", ")", "7 (x) Z", "7 x"} {
		if ending([]byte(text)) {
			t.Errorf("%q", text)
		}
	}
}
