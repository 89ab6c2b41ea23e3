package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/internal/percent"
)

// An address is a URL taken apart, as far as rules are about it. Package net/url would refuse some
// that PostgreSQL and Redis take (several hosts), and let others pass on which drivers break (an @
// in the password), and its errors have the text in them.
type address struct {
	scheme         string // in lower case
	user, password string // percent-decoded
	hosts          []string
}

// parseURL takes a URL apart. If it is none, what says why, without any of it.
func parseURL(s string) (a address, what, advice string) {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return a, "a URL with a blank or control character in it",
				"remove it, or percent-encode it: a blank is %20"
		}
	}

	scheme, authority, path, ok := cutURL(s)
	if !ok {
		return a, "not a URL", "set it to PROTOCOL://HOST/..."
	}
	a.scheme = strings.ToLower(scheme)
	if strings.Contains(authority, "${") {
		return a, "a URL with ${...} in it, which nothing has expanded",
			"write it out, or compose it with a template"
	}

	at := strings.LastIndexByte(authority, '@')
	switch {
	case at >= 0:
		if what, advice = a.setUser(authority[:at]); what != "" {
			return a, what, advice
		}
	case strings.Contains(path, "@") && looksCut(a.scheme, authority, path):
		return a, "a URL with /, ? or # in its user or password",
			"percent-encode them: %2F, %3F, %23 (the filter urlencode of a template does it)"
	}
	what, advice = a.setHosts(authority[at+1:])
	return a, what, advice
}

// cutURL cuts SCHEME://AUTHORITY/PATH, where the authority has the user and the hosts.
func cutURL(s string) (scheme, authority, path string, ok bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	driver, isJDBC := strings.CutPrefix(scheme, "jdbc:")
	end := "/?#"
	if isJDBC {
		end = "/?#;" // jdbc:sqlserver://HOST;databaseName=NAME
	}
	if n := strings.IndexAny(rest, end); n >= 0 {
		return scheme, rest[:n], rest[n:], ok && isScheme(driver)
	}
	return scheme, rest, "", ok && isScheme(driver)
}

// looksCut reports whether an @ in the path is likely to be the one behind a password with a / in
// it.
func looksCut(scheme, authority, path string) bool {
	beforeQuery, _, _ := strings.Cut(path, "?")
	return hasBadPort(authority) || isDatabase(scheme) && strings.Contains(beforeQuery, "@")
}

// setUser reads USER:PASSWORD.
func (a *address) setUser(info string) (what, advice string) {
	if strings.ContainsAny(info, "@[]<>\"{}|\\^`") {
		return "a URL with @ or a bracket in its user or password",
			"percent-encode it: @ is %40 (the filter urlencode of a template does it)"
	}

	user, password, _ := strings.Cut(info, ":")
	var userOK, passwordOK bool
	a.user, userOK = percent.Decode(user)
	a.password, passwordOK = percent.Decode(password)
	if !userOK || !passwordOK {
		return "a URL with a % in its user or password that encodes nothing", "write % as %25"
	}
	return "", ""
}

// setHosts reads HOST:PORT, or several of them with commas between.
func (a *address) setHosts(list string) (what, advice string) {
	isWeb := slices.Contains([]string{"http", "https", "ws", "wss"}, a.scheme)
	for _, host := range strings.Split(list, ",") {
		switch name := hostName(host); {
		case hasBadPort(host):
			return fmt.Sprintf("a URL whose port is not a number up to %d", maxPort),
				"correct the port, or percent-encode a : or / in the password"
		case isWeb && (name == "" || strings.Contains(name, "..")):
			return "a URL without a host, or with two dots in it", "set it to PROTOCOL://HOST/..."
		case !isHost(name):
			return "a URL whose host cannot be one", "correct the host"
		}
		a.hosts = append(a.hosts, strings.ToLower(host))
	}
	return "", ""
}

func isScheme(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20 // lower case; the others stay what they are
		isLetter := 'a' <= c && c <= 'z'
		if !isLetter && (i == 0 || !strings.Contains("0123456789+-.", s[i:i+1])) {
			return false
		}
	}
	return s != ""
}

// isHost takes a name, an IPv4 address, an IPv6 address in brackets, a percent-encoded path of a
// socket, or nothing.
func isHost(s string) bool {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		inner, _, _ = strings.Cut(inner, "%25") // a zone (RFC 6874)
		isAddress := strings.Trim(inner, "0123456789abcdefABCDEF:.%") == ""
		return ok && isAddress && strings.Contains(inner, ":")
	}
	_, ok := percent.Decode(s)
	return ok && !strings.ContainsAny(s, "[]<>\"{}|\\^`$&+=;!*'()@:")
}

// portColon returns the offset of the colon before the port of a host, or -1.
func portColon(host string) int {
	n := strings.LastIndexByte(host, ':')
	if n < strings.LastIndexByte(host, ']') {
		return -1
	}
	return n
}

// hostName is a host without its port.
func hostName(host string) string {
	if n := portColon(host); n >= 0 {
		return host[:n]
	}
	return host
}

func hasBadPort(host string) bool {
	n := portColon(host)
	if n < 0 || n+1 == len(host) { // without a number it is the port of the protocol
		return false
	}
	_, err := strconv.ParseUint(host[n+1:], 10, 16)
	return err != nil
}

// isDatabase knows the protocols whose URLs have no @ in their path, but often a / in a password
// that should be encoded.
func isDatabase(scheme string) bool {
	base, _, _ := strings.Cut(scheme, "+")
	switch base {
	case "postgres", "postgresql", "mysql", "mariadb", "mongodb", "redis", "rediss",
		"amqp", "amqps":
		return true
	}
	return false
}

func (t *Type) checkURL(value string) (all []finding) {
	full := value
	if t.PrependHTTPS && !strings.Contains(value, "://") {
		full = "https://" + value
	}
	a, what, advice := parseURL(full)
	if what != "" {
		return breaks("url", what, advice)
	}

	if t.AllowedProtocols != nil && !a.hasProtocol(t.AllowedProtocols) {
		what := "a URL whose protocol is not " + joined(t.AllowedProtocols)
		all = append(all, finding{"allowedProtocols", what, "correct the protocol"})
	}
	if t.AllowedDomains != nil && !a.isOn(t.AllowedDomains) {
		what := "a URL whose host is not " + joined(t.AllowedDomains)
		all = append(all, finding{"allowedDomains", what, "correct the host"})
	}
	if t.NoTrailingSlash && strings.HasSuffix(value, "/") {
		all = append(all, finding{"noTrailingSlash", "a URL that ends in /", "remove the /"})
	}
	return all
}

// hasProtocol reports whether the protocol is one of those allowed. A driver may be named behind a
// +: postgresql+asyncpg is postgresql.
func (a *address) hasProtocol(allowed []string) bool {
	base, _, _ := strings.Cut(a.scheme, "+")
	return slices.Contains(allowed, a.scheme) || slices.Contains(allowed, base)
}

// isOn reports whether all the hosts are allowed ones, with their port or without.
func (a *address) isOn(allowed []string) bool {
	for _, host := range a.hosts {
		if !slices.Contains(allowed, host) && !slices.Contains(allowed, hostName(host)) {
			return false
		}
	}
	return true
}
