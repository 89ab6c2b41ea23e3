package rotate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What someone else does between the moment a target is read and the switch is not lost.
func TestChangedMeanwhile(t *testing.T) {
	for _, c := range []struct {
		name   string
		target func(dir string) Target
		meddle func(dir string) error
	}{
		{"dotenv", func(dir string) Target { return NewDotenv(filepath.Join(dir, ".env")) }, func(dir string) error {
			return os.WriteFile(filepath.Join(dir, ".env"), []byte("KEY=theirs\n"), 0o600)
		}},
		{"directory", func(dir string) Target { return NewDirectory(filepath.Join(dir, "plain")) }, func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "plain", "key"), []byte("theirs"), 0o600)
		}},
		{"directory, a new file", func(dir string) Target { return NewDirectory(filepath.Join(dir, "plain")) }, func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "plain", "key_previous"), []byte("theirs"), 0o600)
		}},
		{"volume", func(dir string) Target { return NewDirectory(filepath.Join(dir, "volume")) }, func(dir string) error {
			volume := filepath.Join(dir, "volume")
			if err := os.Mkdir(filepath.Join(volume, "..2026_02_02_00_00_00.2"), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(volume, "..2026_02_02_00_00_00.2", "key"), []byte("theirs"), 0o600); err != nil {
				return err
			}
			if err := os.Remove(filepath.Join(volume, "..data")); err != nil {
				return err
			}
			return os.Symlink("..2026_02_02_00_00_00.2", filepath.Join(volume, "..data"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			tree := filepath.Join(dir, "volume", "..2026_01_02_00_00_00.1")
			for _, d := range []string{tree, filepath.Join(dir, "plain")} {
				if err := os.MkdirAll(d, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			for file, text := range map[string]string{filepath.Join(dir, ".env"): "KEY=old\n", filepath.Join(dir, "plain", "key"): "old", filepath.Join(tree, "key"): "old"} {
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for link, to := range map[string]string{"..data": filepath.Base(tree), "key": "..data/key"} {
				if err := os.Symlink(to, filepath.Join(dir, "volume", link)); err != nil {
					t.Fatal(err)
				}
			}
			target := c.target(dir)
			if err := target.Open(); err != nil {
				t.Fatal(err)
			}
			defer target.Close()
			if _, err := target.Read(); err != nil {
				t.Fatal(err)
			}
			backup, err := target.Stage([]Change{{Name: "KEY", Reason: Generated, Old: "old", New: "new", HadOld: true}, {Name: "KEY_PREVIOUS", Reason: Kept, After: "KEY", New: "old"}})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.meddle(dir); err != nil {
				t.Fatal(err)
			}
			err = target.Commit()
			if err == nil || !strings.Contains(err.Error(), "by someone else in this moment") {
				t.Fatalf("%v", err)
			}
			target.Discard()
			if _, err := os.Lstat(backup); err == nil {
				t.Error("a backup of what has not changed is left")
			}
			after, err := target.Read()
			if err != nil {
				t.Fatal(err)
			}
			theirs := false
			for _, e := range after {
				theirs = theirs || e.Value == "theirs"
				if e.Value == "new" {
					t.Error("half of the new values are there")
				}
			}
			if !theirs {
				t.Error("what someone else wrote is lost")
			}
		})
	}
}
