package rotate

import (
	"fmt"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
	"github.com/secret-entrypoint/secret-entrypoint/internal/rotate/dirfd"
)

const (
	backupInfix  = ".backup-"
	partialInfix = ".partial"
)

// backupName returns a free name for a backup, beside the file or directory.
func backupName(beside *dirfd.Dir, of string) string {
	name := of + backupInfix + stamp()
	for n := 2; beside.Exists(name) || beside.Exists(name+partialInfix); n++ {
		name = fmt.Sprintf("%s%s%s-%d", of, backupInfix, stamp(), n)
	}
	return name
}

// backupFile writes a copy of a file beside it. The name appears only when all is on the disk.
func backupFile(beside *dirfd.Dir, of string, data []byte) (name string, err error) {
	name = backupName(beside, of)
	partial := name + partialInfix

	made, err := writeNew(beside, partial, data, private())
	if err == nil {
		if err = renameMade(beside, made, partial, name); err != nil {
			beside.Remove(partial)
		}
	}
	if err != nil {
		return "", fmt.Errorf("back up %s: %w", printable.Line(beside.Join(of)), err)
	}
	return name, nil
}

// backupDir writes copies of files into a directory beside theirs.
func backupDir(beside *dirfd.Dir, of string, files map[string][]byte) (name string, err error) {
	name = backupName(beside, of)
	partial := name + partialInfix

	defer func() {
		if err != nil {
			err = fmt.Errorf("back up %s: %w", printable.Line(beside.Join(of)), err)
		}
	}()
	dir, err := beside.Mkdir(partial)
	if err != nil {
		return "", err
	}
	defer dir.Close()
	defer func() {
		if err != nil {
			dir.Empty() // whatever name it has now
			beside.RemoveAll(partial)
		}
	}()

	made, err := dir.Stat()
	if err != nil {
		return "", err
	}
	for file, data := range files {
		if _, err := writeNew(dir, file, data, private()); err != nil {
			return "", err
		}
	}
	if err := dir.Sync(); err != nil {
		return "", err
	}
	return name, renameMade(beside, made, partial, name)
}

// removePartials removes backups that were never completed.
func removePartials(beside *dirfd.Dir, of string) error {
	names, err := beside.Names()
	if err != nil {
		return err
	}

	for _, name := range names {
		partial := strings.HasPrefix(name, of+backupInfix) && strings.HasSuffix(name, partialInfix)
		if !partial {
			continue
		}
		if err := beside.RemoveAll(name); err != nil {
			return err
		}
	}
	return nil
}
