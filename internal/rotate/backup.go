package rotate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	backupInfix  = ".backup-"
	partialInfix = ".partial"
)

// backupName is a name beside what is backed up that nothing has yet.
func backupName(of string) string {
	name := of + backupInfix + stamp()
	for n := 2; exists(name) || exists(name+partialInfix); n++ {
		name = fmt.Sprintf("%s%s%s-%d", of, backupInfix, stamp(), n)
	}
	return name
}

// backupFile keeps the bytes of a file beside it. The name appears only when all is on the disk.
func backupFile(of string, data []byte) (name string, err error) {
	name = backupName(of)
	if err := writeNew(name+partialInfix, data, private()); err != nil {
		return "", fmt.Errorf("back up %s: %w", Printable(of), err)
	}
	if err := renameDurably(name+partialInfix, name); err != nil {
		os.Remove(name + partialInfix)
		return "", fmt.Errorf("back up %s: %w", Printable(of), err)
	}
	return name, nil
}

// backupDir keeps files in a directory beside that of theirs.
func backupDir(of string, files map[string][]byte) (name string, err error) {
	name = backupName(of)
	partial := name + partialInfix
	defer func() {
		if err != nil {
			os.RemoveAll(partial)
			err = fmt.Errorf("back up %s: %w", Printable(of), err)
		}
	}()
	if err := os.Mkdir(partial, 0o700); err != nil {
		return "", err
	}
	for file, data := range files {
		if err := writeNew(filepath.Join(partial, file), data, private()); err != nil {
			return "", err
		}
	}
	if err := syncDir(partial); err != nil {
		return "", err
	}
	return name, renameDurably(partial, name)
}

// removePartials removes backups that were never completed.
func removePartials(of string) error {
	dir, base := filepath.Split(of)
	entries, err := os.ReadDir(filepath.Clean(dir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), base+backupInfix) && strings.HasSuffix(e.Name(), partialInfix) {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}
