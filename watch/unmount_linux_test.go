package watch

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The end of a file system that is unmounted is told, and what is below it then is watched.
func TestUnmounted(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount")
	}
	dir := t.TempDir()
	mounted := filepath.Join(dir, "secrets")
	must(t, os.Mkdir(mounted, 0o755))
	if err := unix.Mount("tmpfs", mounted, "tmpfs", 0, ""); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(mounted, unix.MNT_DETACH) })
	put(t, "1", mounted, "password")
	w := New(Options{Settle: time.Millisecond})
	defer w.Close()
	w.Watch([]string{mounted, filepath.Join(mounted, "password")})
	told(t, w)
	quiet(w)

	must(t, unix.Unmount(mounted, 0))
	told(t, w)
	quiet(w)
	put(t, "2", mounted, "password")
	told(t, w)
}
