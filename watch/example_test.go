package watch_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/watch"
)

// A file that is replaced by renaming another over it, as orchestrators and editors do, is seen in its
// directory. What has changed is the caller's to find out.
func ExampleWatcher() {
	dir, err := os.MkdirTemp("", "watched-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	password := filepath.Join(dir, "db_password")
	replace := func(content string) {
		if err := os.WriteFile(password+".new", []byte(content), 0o600); err != nil {
			log.Fatal(err)
		}
		if err := os.Rename(password+".new", password); err != nil {
			log.Fatal(err)
		}
	}
	replace("old")

	w := watch.New(watch.Options{Settle: 10 * time.Millisecond})
	defer w.Close()
	w.Watch([]string{dir, password})
	replace("new")
	for range w.Changes() {
		if content, err := os.ReadFile(password); err == nil && string(content) == "new" {
			fmt.Println("replaced")
			break
		}
	}
	// Output: replaced
}
