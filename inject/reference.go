package inject

import (
	"path"
	"slices"
	"strings"
)

// A Rule is the line of the decision table by which a variable that matches a
// reference pattern is read or left alone. The first that applies decides.
type Rule int

const (
	RuleExcluded    Rule = 1 + iota // Exclude names it: left alone
	RuleIncluded                    // Include names it: read
	RuleWantsPath                   // its program is known to want the path: left alone
	RuleNotAbsolute                 // the value is not an absolute path: left alone
	RuleSecretDir                   // the file is in a secret directory: read (in an identity's tree: left alone)
	RuleSecretName                  // the variable it would set looks like a secret: read
	RuleUnknown                     // none of these: left alone, with a warning
)

// A Reference is a variable that matched a pattern, and what was decided.
type Reference struct {
	Variable string // X_FILE
	Target   string // X
	Rule     Rule
	Read     bool
	Reason   string // in words, for people
}

// references decides about every variable of the environment, in its order.
func (l *loader) references(environ []string) []Reference {
	var found []Reference
	for _, entry := range environ {
		name, value, ok := strings.Cut(entry, "=")
		if !ok {
			continue
		}
		target, pattern, ok := l.target(name)
		if !ok {
			l.slip(name, value)
			continue
		}
		r := Reference{Variable: name, Target: target}
		l.decide(&r, value, strings.Contains(pattern, "__"))
		found = append(found, r)
	}
	return found
}

// target returns the variable that a reference called name sets, by the most
// specific pattern that matches: `X__FILE` is X with `*__FILE`, though `*_FILE` matches too.
func (l *loader) target(name string) (target, pattern string, ok bool) {
	for _, p := range l.patterns {
		before, after, _ := strings.Cut(p, "*")
		if len(name) > len(before)+len(after) && strings.HasPrefix(name, before) && strings.HasSuffix(name, after) && len(p) > len(pattern) {
			target, pattern, ok = name[len(before):len(name)-len(after)], p, true
		}
	}
	return target, pattern, ok
}

// decide fills in the rule. A pattern with a double underscore is nobody's name by accident,
// so the two rules that guard against that do not apply to it.
func (l *loader) decide(r *Reference, value string, unmistakable bool) {
	set := func(rule Rule, read bool, reason string) { r.Rule, r.Read, r.Reason = rule, read, reason }
	if named(l.Exclude, r) {
		set(RuleExcluded, false, "excluded")
		return
	}
	if named(l.Include, r) {
		set(RuleIncluded, true, "included")
		return
	}
	if !unmistakable {
		if owner, ok := wantsPath(r.Variable); ok {
			set(RuleWantsPath, false, "wanted as a path: "+owner)
			return
		}
		if certificate := l.certificateOf(r.Variable); certificate != "" {
			set(RuleWantsPath, false, "wanted as a path: the key of "+certificate)
			return
		}
	}
	if !strings.HasPrefix(value, "/") {
		set(RuleNotAbsolute, false, "not an absolute path")
		if strings.Contains(value, "/") && looksSecret(r.Target) {
			l.warn(Subject{Variable: r.Variable}, "left alone: its value is not an absolute path; to have it read, make it one")
		}
		return
	}
	file := path.Clean(value)
	if identityTree(file) {
		set(RuleSecretDir, false, "a service account's or workload identity's file, which its program reads again when it rotates")
		return
	}
	if l.secretDir(file) {
		set(RuleSecretDir, true, "in a secret directory")
		return
	}
	if looksSecret(r.Target) {
		set(RuleSecretName, true, r.Target+" looks like a secret")
		return
	}
	if unmistakable {
		set(RuleSecretName, true, "the pattern says so")
		return
	}
	set(RuleUnknown, false, "neither a secret's directory nor a secret's name")
	l.warn(Subject{Variable: r.Variable}, "left alone: "+r.Target+" does not look like a secret; to have it read: --include "+r.Variable+", to silence this: --exclude "+r.Variable)
}

// certificateOf returns the variable that points at the certificate of a key, if there is one: beside
// X_CERT_FILE, X_KEY_FILE is a TLS key, which its program reads as a file too, whatever X is.
func (l *loader) certificateOf(reference string) string {
	stem, ok := strings.CutSuffix(reference, "_KEY_FILE")
	if !ok {
		return ""
	}
	for _, ending := range [...]string{"_CERT_FILE", "_CRT_FILE", "_CERTIFICATE_FILE"} {
		if _, set := l.vars.lookup(stem + ending); set {
			return stem + ending
		}
	}
	return ""
}

// named reports whether a pattern names the reference or the variable it sets.
func named(patterns []string, r *Reference) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, r.Variable) || matches(p, r.Target) })
}

// matches is path.Match for a pattern known to be well formed.
func matches(pattern, name string) bool {
	ok, _ := path.Match(pattern, name)
	return ok
}

// secretDirs are where Docker, Kubernetes and Podman mount secrets; /run and /var/run are
// the same directory on most images.
var secretDirs = [...]string{"/run/secrets", "/var/run/secrets"}

// secretDir reports whether a file is in a secret directory, by its path as written but cleaned.
// References come by the dozen to one directory, so the answer is kept.
func (l *loader) secretDir(file string) bool {
	dir, _ := split(file)
	if known, ok := l.inSecretDir[dir]; ok {
		return known
	}
	secret := l.isSecretDir(file)
	l.inSecretDir[dir] = secret
	return secret
}

func (l *loader) isSecretDir(file string) bool {
	for _, dir := range secretDirs {
		if under(file, dir) {
			return true
		}
	}
	for _, dir := range l.secretDirs {
		if under(file, dir) {
			return true
		}
	}
	for dir := path.Dir(file); dir != "/"; dir = path.Dir(dir) {
		name := strings.ToLower(path.Base(dir))
		if strings.Contains(name, "secret") || strings.Contains(name, "credential") {
			return true
		}
	}
	return false
}

func under(file, dir string) bool {
	return strings.HasPrefix(file, dir) && len(file) > len(dir) && (dir == "/" || file[len(dir)] == '/')
}

// identityTree reports whether a file is a token that the platform renews under the program:
// Kubernetes service accounts, EKS (IRSA and Pod Identity), Azure and GKE workload identity, Istio.
// Its program must re-read the file, so its contents are worth nothing in an environment.
func identityTree(file string) bool {
	parts := strings.Split(file, "/")
	for i, part := range parts[:len(parts)-1] {
		switch part {
		case "kubernetes.io", "serviceaccount", "eks.amazonaws.com", "pods.eks.amazonaws.com", "workload-identity":
			return true
		case "tokens": // /var/run/secrets/azure/tokens, /var/run/secrets/tokens
			if i > 0 && (parts[i-1] == "azure" || parts[i-1] == "secrets") {
				return true
			}
		}
	}
	return false
}

// looksSecret reports whether the last word of a variable's name is one that secrets end in.
func looksSecret(name string) bool {
	switch lastWord(name) {
	case "URL", "URI", "CREDENTIAL", "CREDENTIALS", "USER", "USERNAME":
		return true
	}
	return onlySecret(name)
}

// onlySecret is looksSecret less the words that also end the names of plain settings.
func onlySecret(name string) bool {
	switch lastWord(name) {
	case "PASSWORD", "PASSWD", "PASS", "PASSPHRASE", "SECRET", "TOKEN", "KEY", "APIKEY", "SALT", "DSN":
		return true
	}
	return false
}

func lastWord(name string) string {
	return strings.ToUpper(name[strings.LastIndexByte(name, '_')+1:])
}

// slip warns of a variable set to the path of a secret where the secret itself is
// wanted: X=/run/secrets/x for X_FILE=/run/secrets/x.
func (l *loader) slip(name, value string) {
	if !strings.HasPrefix(value, "/") || !onlySecret(name) || named(l.Exclude, &Reference{Variable: name}) {
		return
	}
	if _, path := wantsPath(name + "_FILE"); path {
		return
	}
	file := path.Clean(value)
	mounted := func(dir string) bool { return under(file, dir) }
	if slices.ContainsFunc(secretDirs[:], mounted) || slices.ContainsFunc(l.secretDirs, mounted) {
		l.warn(Subject{Variable: name}, "its value is the path of a secret, not the secret: to have the file read, set "+name+"_FILE to the path instead; to silence this: --exclude "+name)
	}
}
