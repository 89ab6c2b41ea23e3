//go:build linux

package verify

import (
	"encoding/base64"
	hexadecimal "encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/leash"
	"github.com/secret-entrypoint/secret-entrypoint/internal/processes"
)

func TestMain(m *testing.M) {
	leash.Hold()
	os.Exit(m.Run())
}

const canary = "c4n4ry/w1th+s1gns"

func shell(script string) Check {
	return Check{
		File:    "/bin/sh",
		Args:    []string{"sh", "-c", script},
		Env:     []string{"PATH=" + os.Getenv("PATH"), "PASSWORD=" + canary},
		Timeout: 20 * time.Second,
		Cancel:  -1,
		Secrets: []Secret{{"PASSWORD", canary}},
	}
}

// How a command ends is what the error says, and its lines are the output.
func TestOutcome(t *testing.T) {
	for _, test := range []struct{ script, want string }{
		{"true", ""},
		{"exit 3", "exit status 3"},
		{"kill -SEGV $$", "killed by SIGSEGV"},
		{"exec /no/such/file", "exit status 127"},
		{"exec /etc/passwd", "exit status 126"},
		{"read line || exit 4", "exit status 4"},                  // nothing to read
		{"test -t 0 || (: </dev/tty) || exit 5", "exit status 5"}, // no terminal
	} {
		_, err := shell(test.script).Run()
		if got := text(err); got != test.want {
			t.Errorf("%s: %q, not %q", test.script, got, test.want)
		}
	}
	output, err := shell("echo one; echo; echo two >&2; exit 1").Run()
	if want := []string{"one", "two"}; !slices.Equal(output, want) || err == nil {
		t.Errorf("output %q, %v", output, err)
	}
}

func TestNotStarted(t *testing.T) {
	for file, want := range map[string]string{
		"/no/such/file": "cannot be started: no such file or directory",
		"/etc/passwd":   "cannot be started: permission denied",
	} {
		_, err := Check{File: file, Args: []string{"x"}, Timeout: time.Second, Cancel: -1}.Run()
		if text(err) != want {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// Nothing of the command is left, whatever it did to stay, and what this process had is.
func TestNothingIsLeft(t *testing.T) {
	helper := exec.Command("sleep", "1000")
	helper.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := helper.Start(); err != nil {
		t.Fatal(err)
	}
	defer helper.Wait()         // it was killed
	defer helper.Process.Kill() // it may be gone

	for name, script := range map[string]string{
		"a child":              "sleep 1000 & exit 0",
		"its output is closed": "sleep 1000 >/dev/null 2>&1 & exit 0",
		"a session of its own": "setsid sleep 1000 & exit 0",
		"a daemon":             "(setsid sh -c 'setsid sleep 1000 & exit 0' &) ; exit 0",
		"it ignores signals":   "trap '' TERM INT HUP; sleep 1000 & exit 0",
	} {
		if _, err := shell(script).Run(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := processes.Children(); len(got) != 1 || !got[helper.Process.Pid] {
			t.Errorf("%s: children are %v, not only %d", name, got, helper.Process.Pid)
		}
	}
	if is, err := isSubreaper(); err != nil || is {
		t.Errorf("this process stays a subreaper: %v, %v", is, err)
	}
}

// A command that hangs is killed, with what it started, and its output is not lost.
func TestTimeout(t *testing.T) {
	check := shell("echo begun; trap '' TERM; sleep 1000 & sleep 1000; wait")
	check.Timeout = 500 * time.Millisecond
	output, err := check.Run()
	// A shell that sees its sleep killed first says so itself.
	said := slices.DeleteFunc(output, func(line string) bool { return line == "Killed" })
	if text(err) != "did not end within 500ms: killed" || !slices.Equal(said, []string{"begun"}) {
		t.Errorf("%q, %v", output, err)
	}
	if got := processes.Children(); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
}

// A command that is not wanted any more is killed at once, with what it started.
func TestCancel(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	check := shell("echo begun >&3; sleep 1000 & sleep 1000; wait")
	check.Timeout = time.Hour
	check.Cancel = int(r.Fd())
	w.Close()
	if _, err := check.Run(); text(err) != "is not wanted any more: killed" {
		t.Error(err)
	}
	if got := processes.Children(); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
}

// A command that writes without end is read to its end, and what is kept is bounded.
func TestMuchOutput(t *testing.T) {
	output, err := shell("dd if=/dev/zero bs=1000 count=3000 2>/dev/null | tr '\\0' x; echo; echo end").Run()
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for _, line := range output {
		size += len(line)
	}
	if size > mostOutput+100 || !strings.Contains(output[len(output)-1], "left out") {
		t.Errorf("%d bytes in %d lines", size, len(output))
	}
}

// The command sees its own environment, standard input that is empty, and no descriptor of this process.
func TestSurroundings(t *testing.T) {
	dir := t.TempDir()
	script := `test "$PASSWORD" = "$(cat ` + dir + `/value)" || exit 3
for fd in /proc/self/fd/*; do readlink $fd; done | grep -v -e null -e pipe -e /proc/ && exit 4
exit 0`
	if err := os.WriteFile(filepath.Join(dir, "value"), []byte(canary), 0o600); err != nil {
		t.Fatal(err)
	}
	if output, err := shell(script).Run(); err != nil {
		t.Errorf("%v: %q", err, output)
	}
}

func TestRedact(t *testing.T) {
	secrets := []Secret{
		{"PASSWORD", canary},
		{"URL", "postgres://app:p%40ss-c4n4ry@db/app"},
		{"KEY", "-----BEGIN-----\nc4n4ryc4n4ryc4n4ry\nzz\n-----END-----\n"},
		{"QUOTED", `c4n4ry"\x`},
		{"AB", "c4n4ry-abcXYZ"},
		{"BC", "XYZ-c4n4ry-tail"},
	}
	for _, test := range []struct{ text, want string }{
		{"login " + canary + " failed", "login [PASSWORD] failed"},
		{canary + canary, "[PASSWORD][PASSWORD]"},
		{"http://x/c4n4ry%2Fw1th%2Bs1gns", "http://x/[PASSWORD]"},
		{"to postgres://app:p%40ss-c4n4ry@db/app now", "to [URL] now"},
		{"password p@ss-c4n4ry is wrong", "password [URL] is wrong"},
		{"line c4n4ryc4n4ryc4n4ry", "line [KEY]"},
		{`{"x":"c4n4ry\"\\x"}`, `{"x":"[QUOTED]"}`},
		{"c4n4ry-abcXYZ-c4n4ry-tail.", "[AB]."},
		{"nothing of it", "nothing of it"},
	} {
		got := redact([]byte(test.text), mostOutput, secrets)
		if len(got) != 1 || got[0] != test.want {
			t.Errorf("%q gives %q, not %q", test.text, got, test.want)
		}
	}

	// Programs spell one value in many ways.
	const odd = "a/b+C d=~\u00e9x'y\"z\\q<w>&k\nl"
	for _, spelling := range []string{
		odd,
		`a/b%2BC%20d%3D~%C3%A9x%27y%22z%5Cq%3Cw%3E%26k%0Al`,                             // Python's quote
		`a%2Fb%2BC+d%3D~%C3%A9x%27y%22z%5Cq%3Cw%3E%26k%0Al`,                             // a form's
		`a%2fb%2bC%20d%3d~%c3%a9x%27y%22z%5cq%3cw%3e%26k%0al`,                           // lower case
		`a%2Fb%2BC%20d%3D~%C3%A9x'y%22z%5Cq%3Cw%3E%26k%0Al`,                             // JavaScript's encodeURIComponent
		`a/b+C d=~\u00e9x'y\"z\\q<w>&k\nl`,                                              // Python's json
		`a\/b+C d=~\u00e9x'y\"z\\q<w>&k\nl`,                                             // PHP's
		"a/b+C d=~\u00e9x'y\\\"z\\\\q\\u003cw\\u003e\\u0026k\\nl",                       // Go's
		"a/b+C d=~\u00e9x\\'y\"z\\\\q<w>&k\\nl",                                         // Python's repr
		`a/b+C d=~\xc3\xa9x\'y"z\\q<w>&k\nl`,                                            // of bytes
		`a/b+C d=~\xe9x\'y"z\\q<w>&k\nl`,                                                // Python's ascii
		`a/b+C d=~\303\251x\047y"z\\q<w>&k\012l`,                                        // octal
		"a/b+C d=~\u00e9x&#x27;y&quot;z\\q&lt;w&gt;&amp;k\nl",                           // HTML
		"a/b+C d=~\u00e9x'\"'\"'y\"z\\q<w>&k\nl",                                        // a shell's
		"a&#x2F;b&#43;C d=~&#233;x&#x27;y&#34;z\\q&#60;w>&amp;k&#10;l",                  // HTML, by numbers
		"a&#0047;b&#X2b;C&#32;d=~&#x000E9;x&#00000039;y&quot;z&#92;q&lt;w>&#38;k&#xA;l", // with zeros
		`a/b+C d=~\u{e9}x'y"z\\q<w>&k\u{00000a}l`,                                       // Rust's and JavaScript's
		`a/b+C d=~\x{e9}x'y\"z\\q<w>&k\nl`,                                              // Perl's
		"a/b+C d=~\u00e9x''y\"z\\q<w>&k\nl",                                             // SQL's
		"a/b+C d=~\u00e9x'y\"\"z\\q<w>&k\nl",                                            // CSV's
	} {
		got := redact([]byte("<"+spelling+">"), mostOutput, []Secret{{"ODD", odd}})
		if len(got) != 1 || got[0] != "<[ODD]>" {
			t.Errorf("%q gives %q", spelling, got)
		}
	}
	for value, spelling := range map[string]string{
		"\U0001f511key": `\ud83d\udd11key`, "\U0001f512key": `\U0001f512key`, `two\\x`: `two\\x`, "100%25": "100%25",
		"end\\": `end\\`, "a%2": "a%2", "tab\tx": `tab\tx`,
		"'two''q'": "''two''''q''", "''kept": "''kept", `""x"""y"`: `""x"""y"`, "end'": "end''",
		"&#zz;": "&#zz;", "\U0001f513key": "&#128275;key", "\U0001f514key": "&#x1F514;key", `\u{}x`: `\u{}x`,
	} {
		if got := redact([]byte(spelling), mostOutput, []Secret{{"V", value}}); len(got) != 1 || got[0] != "[V]" {
			t.Errorf("%q gives %q", spelling, got)
		}
	}

	// In hexadecimal, and in base64 whatever stands around it.
	for _, value := range []string{canary, "odd-c4n4ry", "c4n4ry??>>", "\x01\x0fc4n4ry\xff"} {
		for _, around := range []string{"", "a", "ab", "abc", "user:"} {
			whole := []byte(around + value + around)
			for _, spelling := range []string{
				base64.StdEncoding.EncodeToString(whole), base64.RawURLEncoding.EncodeToString(whole),
				hexadecimal.EncodeToString(whole), strings.ToUpper(hexadecimal.EncodeToString(whole)),
			} {
				got := redact([]byte("<"+spelling+">"), mostOutput, []Secret{{"V", value}})
				left := len(got[0]) - len("<[V]>")
				if most := 2*len(around)*2 + 4; len(got) != 1 || !strings.Contains(got[0], "[V]") || left > most {
					t.Errorf("%q in %q: %q gives %q", value, around, spelling, got)
				}
			}
		}
	}

	// In SQL's and CSV's quotes, which are quotes, too.
	for _, test := range []struct{ value, text, want string }{
		{"'c4n4ry'", "('''c4n4ry''')", "('[V])"},
		{`c4n4ry"`, `1,"c4n4ry""",2`, `1,"[V],2`},
		{"c4n''4ry\"x", `"c4n''4ry""x"`, `"[V]"`},
	} {
		got := redact([]byte(test.text), mostOutput, []Secret{{"V", test.value}})
		if len(got) != 1 || strings.NewReplacer("[V]'", "[V]", `[V]",`, "[V],").Replace(got[0]) != test.want {
			t.Errorf("%q in %q gives %q", test.value, test.text, got)
		}
	}

	// In lines, and in digits that something divides.
	long := strings.Repeat("c4n4ry/w1th+s1gns??>>", 8)
	lines, digits := base64.StdEncoding.EncodeToString([]byte(long)), hexadecimal.EncodeToString([]byte(long))
	for _, spelling := range []string{
		divided(lines, 76, "\n"),
		divided(lines, 64, "\r\n"),
		divided(lines, 64, "\n    "),
		divided(lines, 64, `\n`),
		divided(base64.StdEncoding.EncodeToString([]byte("user:"+long)), 76, "\n"),
		divided(base64.URLEncoding.EncodeToString([]byte("a"+long)), 38, "\n"),
		divided(digits, 60, "\n"),
		divided(digits, 2, ":"),
		divided(digits, 2, " "),
		divided(digits, 4, " "),
		divided(strings.ToUpper(digits), 2, "-"),
	} {
		got := redact([]byte("<"+spelling+">"), mostOutput, []Secret{{"V", long}})
		if len(got) != 1 || !strings.Contains(got[0], "[V]") || len(got[0]) > len("<[V]>")+10 {
			t.Errorf("%q gives %q", spelling, got)
		}
	}

	// A value that begins before the cut is replaced whole.
	text := strings.Repeat("x", 100) + canary
	got := redact([]byte(text), 105, secrets)
	if strings.Contains(strings.Join(got, ""), canary[:5]) || !strings.Contains(got[0], "[PASSWORD]") {
		t.Errorf("at the cut: %q", got)
	}
}

// divided puts a text between every so many characters of another.
func divided(text string, every int, between string) string {
	var parts []string
	for part := range slices.Chunk([]byte(text), every) {
		parts = append(parts, string(part))
	}
	return strings.Join(parts, between)
}

// FuzzRedact: a value that is in the text is not in what is left of it.
func FuzzRedact(f *testing.F) {
	f.Add("a c4n4ry b", "c4n4ry", "4ry b")
	f.Add("xyxyxyx", "xyx", "yxy")
	f.Add("http://u:p%41@h", "u:p%41@h", "http://u:p%41@h")
	f.Fuzz(func(t *testing.T, text, one, two string) {
		lines := redact([]byte(text), mostOutput, []Secret{{"\x00", one}, {"\x00", two}})
		for _, value := range []string{one, two} {
			value = strings.TrimSpace(value)
			left := strings.ReplaceAll(strings.Join(lines, "\n"), "[\x00]", "\x01")
			if value != "" && !strings.ContainsAny(value, "\x00\x01[]\n") && strings.Contains(left, value) {
				t.Errorf("%q is in %q", value, left)
			}
		}
	})
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
