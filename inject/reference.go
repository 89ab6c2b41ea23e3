package inject

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A Rule is the line of the decision table by which a variable that matches a
// reference pattern is read or left alone. The first that applies decides.
type Rule int

const (
	RuleExcluded    Rule = 1 + iota // Exclude names it: left alone
	RuleIncluded                    // Include names it: read
	RuleWantsPath                   // its program is known to want the path: left alone
	RuleNotAbsolute                 // the value is not an absolute path: left alone
	RuleSecretDir                   // its file is in a secret directory: read, unless an identity's
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

	guessed bool // that it is a secret, by its name alone
}

// defaultReferences are the patterns where none are given: the official images', Grafana's and
// Gitea's, LinuxServer.io's.
var defaultReferences = []string{"*_FILE", "*__FILE", "FILE__*"}

// references decides about every variable of the environment, in its order.
func (l *loader) references(environ []string) []Reference {
	var found []Reference
	for _, entry := range environ {
		name, value, ok := strings.Cut(entry, "=")
		if !ok {
			continue
		}
		target, pattern, ok := targetOf(l.patterns, name)
		if !ok {
			l.slip(name, value)
			continue
		}
		r := Reference{Variable: name, Target: target}
		l.decide(&r, value, pattern)
		found = append(found, r)
	}

	return found
}

// targetOf returns the variable that a reference called name sets, by the most
// specific pattern that matches: `X__FILE` is X with `*__FILE`, though `*_FILE` matches too.
func targetOf(patterns []string, name string) (target, pattern string, ok bool) {
	for _, p := range patterns {
		before, after, _ := strings.Cut(p, "*")
		fits := len(name) > len(before)+len(after) &&
			strings.HasPrefix(name, before) && strings.HasSuffix(name, after)
		if fits && len(p) > len(pattern) {
			target, pattern, ok = name[len(before):len(name)-len(after)], p, true
		}
	}
	return target, pattern, ok
}

// set fills in what was decided.
func (r *Reference) set(rule Rule, read bool, reason string) {
	r.Rule, r.Read, r.Reason = rule, read, reason
}

// decide fills in the rule. An option that asks for a pattern with a double underscore means all of
// its variables, so the two rules that guard against a name by accident do not apply to them then.
// They apply to the default patterns: settings with nested names have a LOGGING__FILE too.
func (l *loader) decide(r *Reference, value, pattern string) {
	double := strings.Contains(pattern, "__")
	unmistakable := double && l.References != nil
	if named(l.Exclude, r) {
		r.set(RuleExcluded, false, "excluded")
		return
	}

	if named(l.Include, r) {
		r.set(RuleIncluded, true, "included")
		if what := l.wrapped(r, value); what != "" {
			r.set(RuleIncluded, false, what)
		}
		return
	}

	if !unmistakable {
		owner, ok := "", false
		if double {
			owner = contentsOf(r.Target)
			ok = owner != ""
		} else {
			owner, ok = wantsPath(r.Variable)
		}

		if ok {
			r.set(RuleWantsPath, false, "wanted as a path: "+owner)
			return
		}
		if certificate := l.certificateOf(r.Variable); certificate != "" {
			r.set(RuleWantsPath, false, "wanted as a path: the key of "+certificate)
			return
		}
	}

	if what := l.wrapped(r, value); what != "" {
		r.set(RuleNotAbsolute, false, what)
		return
	}
	if !strings.HasPrefix(value, "/") {
		r.set(RuleNotAbsolute, false, "not an absolute path")
		if strings.Contains(value, "/") && looksSecret(r.Target) {
			l.warn(subject{variable: r.Variable}.problem(KindLeftAlone,
				"left alone: its value is not an absolute path", "to have it read, make it one"))
		}
		return
	}

	l.decideByFile(r, path.Clean(value), unmistakable)
}

// decideByFile is the second half of decide: by where the file is, and by the variable's name.
func (l *loader) decideByFile(r *Reference, file string, unmistakable bool) {
	if identityTree(file) {
		r.set(RuleSecretDir, false, "a service account's or workload identity's file, which its "+
			"program reads again when it rotates")
		return
	}
	if l.secretDir(file) {
		r.set(RuleSecretDir, true, "in a secret directory")
		return
	}

	if looksSecret(r.Target) {
		r.set(RuleSecretName, true, r.Target+" looks like a secret")
		r.guessed = !unmistakable
		if r.guessed && slices.Contains(l.Held, heldLeft+r.Variable) {
			l.leave(r, "left alone from the start")
		}
		return
	}

	if unmistakable {
		r.set(RuleSecretName, true, "the pattern says so")
		return
	}

	r.set(RuleUnknown, false, "neither a secret's directory nor a secret's name")
	l.warn(subject{variable: r.Variable}.problem(KindLeftAlone,
		fmt.Sprintf("left alone: %s does not look like a secret", r.Target), ""))
}

// quotes are those that shells, YAML and word processors know. One that is not closed is around a
// path as well.
const quotes = "\"'`\u201c\u201d\u201e\u2018\u2019\u201a\u00ab\u00bb"

// wrapped says what is around the path in a reference's value, and makes an error of it: quotes,
// which Compose's list form and docker's --env-file keep, white space, of which a CR comes from
// Windows, or the file:// of a URL. No program opens that as it stands. The path inside must be of
// a secret, or of a file that is there, so that no other text is taken for one.
func (l *loader) wrapped(r *Reference, value string) (what string) {
	advice := "write the path alone"
	inside := strings.TrimSpace(value)
	if inside != value {
		what = "its value has white space around the path"
	}
	if bare := strings.Trim(inside, quotes); bare != inside {
		what = "its value has quotes around the path"
		advice = "remove them; Compose's list form and env files for docker keep quotes"
		inside = strings.TrimSpace(bare)
	}

	url := false
	if rest, ok := strings.CutPrefix(inside, "file:"); ok {
		url = true
		what = "its value is a URL and no path"
		inside = "/" + strings.TrimLeft(rest, "/")
	}
	if what == "" || !strings.HasPrefix(inside, "/") {
		return ""
	}

	file := path.Clean(inside)
	secret := l.secretDir(file) || looksSecret(r.Target)
	if there(value) || !l.secretDir(file) && (!there(file) || url && !secret) {
		return ""
	}

	l.fail(subject{variable: r.Variable}.problem(KindReference, what, advice))
	return what
}

// there reports whether a path leads to something.
func there(file string) bool {
	var st unix.Stat_t
	return strings.HasPrefix(file, "/") && unix.Stat(file, &st) == nil
}

// certificateOf returns the variable that points at the certificate of a key, if there is one:
// beside X_CERT_FILE, X_KEY_FILE is a TLS key, which its program reads as a file too, whatever X
// is.
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

// withhold notes which variables no directory, dotenv file or JSON may set, because the program
// reads X_FILE itself: Authelia, Grafana and Kong refuse to start with X beside it. That holds for
// the usual patterns also where --ref gives others. A reference that is no path is no reason:
// MinIO's image has bare words there, whose files need not exist.
func (l *loader) withhold(references []Reference) {
	read := make(map[string]bool, len(references))
	for _, r := range references {
		read[r.Target] = read[r.Target] || r.Read
	}

	l.result.withheld = make(map[string]string)
	for _, entry := range l.vars.list {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.Contains(value, "/") {
			continue
		}
		x, _, ok := targetOf(l.patterns, name)
		if !ok || strings.HasSuffix(x, "_") {
			x, _, ok = targetOf(defaultReferences, name)
		}
		if ok && !read[x] && !included(l.Include, x) {
			l.result.withheld[x] = name
		}
	}
}

// LeftAlone returns the reference that would set a variable and is left to its program, so that
// nothing else from a file may set the variable either; "" if there is none.
func (r *Result) LeftAlone(variable string) (reference string) { return r.withheld[variable] }

// included reports whether a pattern names the variable.
func included(patterns []string, variable string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, variable) })
}

// named reports whether a pattern names the reference or the variable it sets.
func named(patterns []string, r *Reference) bool {
	return included(patterns, r.Variable) || included(patterns, r.Target)
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
	return strings.HasPrefix(file, dir) && len(file) > len(dir) &&
		(dir == "/" || file[len(dir)] == '/')
}

// identityTree reports whether a file is a token that the platform renews under the program:
// Kubernetes service accounts, EKS (IRSA and Pod Identity), Azure and GKE workload identity, Istio.
// Its program must re-read the file, so its contents are worth nothing in an environment.
func identityTree(file string) bool {
	parts := strings.Split(file, "/")
	for i, part := range parts[:len(parts)-1] {
		switch part {
		case "kubernetes.io", "serviceaccount", "eks.amazonaws.com", "pods.eks.amazonaws.com",
			"workload-identity":
			return true
		case "tokens": // /var/run/secrets/azure/tokens, /var/run/secrets/tokens
			if i > 0 && (parts[i-1] == "azure" || parts[i-1] == "secrets") {
				return true
			}
		}
	}

	return false
}

// looksSecret reports whether the last word of a variable's name is one that secrets end in, also
// one glued to another: PMA_CONTROLPASS, TS_AUTHKEY.
func looksSecret(name string) bool {
	word := lastWord(name)
	switch word {
	case "URL", "URI", "CREDENTIAL", "CREDENTIALS", "USER", "USERNAME", "AUTH", "SEED", "SKEY",
		"PWD", "PW":
		return true
	case "BASE": // Rails' and Phoenix' SECRET_KEY_BASE
		return lastWords(2, strings.ToUpper(name)) == "KEY_BASE"
	case "HASH": // of a password; not of a commit
		before := lastWords(2, strings.ToUpper(name))
		return before != "GIT_HASH" && before != "COMMIT_HASH"
	case "BYPASS", "COMPASS", "DONKEY", "HOTKEY", "MONKEY", "PUBKEY", "TURKEY":
		return false
	case "KEY":
		if lastWords(2, strings.ToUpper(name)) == "PUBLIC_KEY" {
			return false
		}
	}

	for _, ending := range [...]string{
		"PASSWORD", "PASSWD", "PASS", "PASSPHRASE", "SECRET",
		"TOKEN", "KEY",
	} {
		if strings.HasSuffix(word, ending) {
			return true
		}
	}
	return onlySecret(name)
}

// onlySecret is looksSecret less the words that also end the names of plain settings and paths.
func onlySecret(name string) bool {
	switch lastWord(name) {
	case "PASSWORD", "PASSWD", "PASS", "PASSPHRASE", "SECRET", "TOKEN", "KEY", "APIKEY", "SALT",
		"DSN":
		return true
	}
	return false
}

// mayBeMade reports whether a variable's name is one by which programs also call a file that they
// make themselves when it is not there: a private key (LLDAP_KEY), a database of users (NTFY_AUTH).
func mayBeMade(name string) bool {
	word := lastWord(name)
	return word == "AUTH" || strings.HasSuffix(word, "KEY") && word != "APIKEY"
}

func lastWord(name string) string {
	return strings.ToUpper(name[strings.LastIndexByte(name, '_')+1:])
}

// slip warns of a variable set to the path of a secret where the secret itself is
// wanted: X=/run/secrets/x for X_FILE=/run/secrets/x.
func (l *loader) slip(name, value string) {
	if len(l.patterns) == 0 || included(l.Exclude, name) {
		return
	}
	if !strings.HasPrefix(value, "/") || !onlySecret(name) {
		return
	}
	if _, path := wantsPath(name + "_FILE"); path {
		return
	}

	file := path.Clean(value)
	mounted := func(dir string) bool { return under(file, dir) }
	if !slices.ContainsFunc(secretDirs[:], mounted) && !slices.ContainsFunc(l.secretDirs, mounted) {
		return
	}

	// The name may be a reference of another convention, or nearly one: FILE__X, FILE_X.
	x := strings.TrimLeft(strings.TrimPrefix(name, "FILE_"), "_")
	reference := strings.Replace(l.patterns[0], "*", x, 1)
	l.warn(subject{variable: name}.problem(KindPathAsValue,
		fmt.Sprintf("its value is the path of a secret, not the secret: to have the file read, "+
			"set %s to the path instead", reference), ""))
}
