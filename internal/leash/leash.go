// Package leash makes a test run leave nothing: however the run ends, its processes, mounts and
// temporary files are gone afterwards.
//
// A TestMain calls it first:
//
//	func TestMain(m *testing.M) {
//		leash.Hold()
//		os.Exit(m.Run())
//	}
//
// There are three processes then:
//
//	go test ── first ── leash ── tests ── what the tests start
//
// The first waits, and passes signals on. The second is called "leash" in lists of processes. It
// has a session of its own, so Ctrl-C does not reach it, and it is a subreaper (prctl(2)): every
// process that the tests start stays among its descendants, however it forks. The third runs the
// tests. When the first or the third ends, for whatever reason, leash kills all its descendants,
// unmounts what is mounted in the directory for temporary files (TMPDIR), and removes that
// directory.
//
// If tests that pass leave a process, a mount or a file, that is a fault of theirs: leash reports
// it, and the run fails.
//
// On other systems than Linux, Hold does nothing.
package leash
