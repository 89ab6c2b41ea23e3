package inject

import (
	"fmt"
	"slices"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
)

// readable returns the files of a directory that are secrets, and notes what looks like one and is
// passed over: names that begin with a dot although a rule for formats is for them, and what
// editors and package managers leave beside a file.
func (l *loader) readable(s Source, all []dirFile) (files []dirFile) {
	has := func(name string) bool {
		return slices.ContainsFunc(all, func(f dirFile) bool { return f.name == name })
	}

	for _, f := range all {
		variable, _ := Name(s.Prefix, f.name)
		switch {
		case f.fileType == typeDirectory:
		case f.name[0] == '.':
			if glob := l.formatRule(f.name); glob != "" {
				what := fmt.Sprintf("passed over, since its name begins with a dot, though %s is "+
					"for it", glob)
				l.warn(subject{path: f.path(s)}.problem(KindPassedOver, what, ""))
			}
		case slices.Contains(l.Include, variable):
			files = append(files, f)
		case ofServiceAccount(f.name, has):
			if f.name == "token" {
				p := subject{path: f.path(s)}.problem(KindServiceAccount,
					"passed over, with ca.crt and namespace beside it: a service account's "+
						"token, which is renewed every hour", "")
				p.Related = []string{variable}
				l.warn(p)
			}
		case isLeftover(f.name, has):
			left := subject{path: f.path(s)}.problem(KindCopy,
				"a copy that an editor or package manager left", "")
			l.result.PassedOver = append(l.result.PassedOver, left)
		case isCopy(f, has):
			p := subject{path: f.path(s)}.problem(KindCopy,
				"passed over, since it is a copy by its name", "")
			p.Related = []string{variable}
			l.warn(p)
		default:
			files = append(files, f)
		}
	}

	return files
}

// ofServiceAccount reports whether a file is one of the three that the kubelet projects for a pod's
// service account (ServiceAccount admission in Kubernetes). A program that wants them reads them
// itself, again and again.
func ofServiceAccount(name string, has func(string) bool) bool {
	three := [...]string{"token", "ca.crt", "namespace"}
	return slices.Contains(three[:], name) && has(three[0]) && has(three[1]) && has(three[2])
}

// formatRule returns how messages call the first rule for formats that is for a file, unless it is
// for all.
func (l *loader) formatRule(file string) string {
	for _, rule := range l.Formats {
		if matches(rule.Glob, file) {
			if strings.Trim(rule.Glob, "*") == "" {
				return ""
			}
			return strings.TrimSpace(rule.By + " " + printable.Name(rule.Glob))
		}
	}
	return ""
}

// isLeftover reports whether a file is one that programs leave behind beside the file that they
// changed: no orchestrator calls a secret so. What someone could call one is a copy only beside its
// original. Sources: emacs and vim (backup, auto-save and swap files), nano, patch(1), dpkg(1),
// ucf(1), rpm(8).
func isLeftover(name string, has func(string) bool) bool {
	if strings.HasSuffix(name, "~") ||
		strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#") {
		return true
	}
	dot := strings.LastIndexByte(name, '.')
	if dot < 1 {
		return false
	}

	switch name[dot+1:] {
	case "swo", "swp", "dpkg-bak", "dpkg-dist", "dpkg-new", "dpkg-old", "dpkg-tmp", "ucf-dist",
		"ucf-new", "ucf-old", "rpmnew", "rpmorig", "rpmsave":
		return true
	case "bak", "copy", "orig", "rej", "save", "tmp":
		return has(name[:dot])
	}
	return false
}

// isCopy reports whether a file has a name that people give to copies, and its original is beside
// it. Nobody edits the files of a Kubernetes volume, whose directories begin with two dots, or
// those that are mounted one by one, and there NAME.old may be the key before the current one.
func isCopy(f dirFile, has func(string) bool) bool {
	if original := copyOf(f.name); original == "" || !has(original) {
		return false
	}
	return !strings.Contains(f.dir, "/..") && !isMount(plain(f.real()))
}

// copyOf returns the file that another is a copy of by its name: NAME.old, and what desktops of
// Linux, macOS and Windows make of NAME.txt: "NAME (copy).txt", "NAME (1).txt", "NAME copy 2.txt",
// "NAME - Copy.txt".
func copyOf(name string) (original string) {
	dot := strings.LastIndexByte(name, '.')
	if dot > 0 && (name[dot:] == ".old" || name[dot:] == ".new") {
		return name[:dot]
	}
	stem, extension := name, ""
	if dot > 0 {
		stem, extension = name[:dot], name[dot:]
	}

	for _, mark := range [...]string{" (", " - Copy", " copy"} {
		original, rest, found := strings.Cut(stem, mark)
		isNumber := strings.Trim(rest, "0123456789)") == ""
		isWord := mark == " (" && strings.Contains(rest, "copy")
		if found && (isNumber || isWord || strings.HasPrefix(rest, " ")) {
			return original + extension
		}
	}
	return ""
}

// emptyMounts warns of directories in a secret directory that are mounts and empty: where the file
// to mount is not there, Docker makes a directory of its name, on the host as well.
func (l *loader) emptyMounts(s Source, all []dirFile) {
	for _, f := range all {
		path := f.real()
		if f.fileType != typeDirectory || !isMount(plain(path)) {
			continue
		}
		if inner, _, err := l.snap.glance(path); err == nil && len(inner) == 0 {
			l.warn(subject{path: f.path(s)}.problem(KindEmptyMount,
				"an empty directory that is a mount of its own", madeByDocker))
		}
	}
}

const madeByDocker = "if a file was meant, it was not there to be mounted, and Docker made a " +
	"directory instead: remove that on the host, put the file there, and create the container " +
	"anew"

// nothingIn warns of a directory that was named, or mounted, and holds no secret. The default
// directory may be there for others: for references, for the platform's own tokens.
func (l *loader) nothingIn(s Source, root string, all []dirFile) {
	about := subject{path: s.Path}
	if s.Optional && l.spokenOf(s.Path) {
		return
	}

	var nested []string
	for _, f := range all {
		if f.fileType == typeDirectory && !l.anothers(f.path(s), f.name) {
			nested = l.nested(nested, f.real(), f.path(s), 3)
		}
	}

	switch {
	case nested != nil:
		p := about.problem(KindNested, "holds no secret but in directories, which are not read", "")
		p.Related = nested
		l.warn(p)
	case !s.Optional || isMount(plain(root)):
		l.warn(about.problem(KindNothing, "holds no secret", "check what is mounted there"))
	}
}

// mostNested bounds how many directories are looked for.
const mostNested = 10

// anothers reports whether a directory in a secret directory is there for something else: the
// platform's tokens, the subscription of a Red Hat host (containers-mounts.conf(5)), another
// source.
func (l *loader) anothers(path, name string) bool {
	return identityTree(path+"/") || name == "rhsm" || name == "etc-pki-entitlement" ||
		slices.ContainsFunc(l.Sources,
			func(s Source) bool { return s.Path == path || under(s.Path, path) })
}

// nested appends the directories at and below a path that hold files, as they are to be named.
func (l *loader) nested(found []string, path, name string, depth int) []string {
	all, _, err := l.filesBy(l.snap.glance, path)
	if err != nil || depth == 0 || len(found) > mostNested {
		return found
	}
	if slices.ContainsFunc(all,
		func(f dirFile) bool { return f.fileType != typeDirectory && f.name[0] != '.' }) {
		found = append(found, printable.Name(name))
	}

	for _, f := range all {
		if f.fileType == typeDirectory {
			found = l.nested(found, f.real(), name+"/"+f.name, depth-1)
		}
	}
	return found
}

// spokenOf reports whether a variable holds the path of something in a directory: then it is there
// for that.
func (l *loader) spokenOf(dir string) bool {
	return slices.ContainsFunc(l.vars.list, func(entry string) bool {
		_, value, _ := strings.Cut(entry, "=")
		return under(value, dir) || under(value, "/var"+dir) // /var/run is /run
	})
}
