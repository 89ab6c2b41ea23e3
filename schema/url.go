package schema

import (
	"strconv"
	"strings"
)

// An address is a URL taken apart, as far as rules are about it. Package net/url would refuse some that PostgreSQL and
// Redis take (several hosts), let others pass on which drivers break (an @ in the password), and has the text in its errors.
type address struct {
	scheme         string
	user, password string // percent-decoded
	hosts          []string
}

// parseURL takes a URL apart. If it is none, what says why, without any of it.
func parseURL(s string) (a address, what, advice string) {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return a, "a URL with a blank or control character in it", "remove it, or percent-encode it: a blank is %20"
		}
	}
	scheme, rest, ok := strings.Cut(s, "://")
	driver, jdbc := strings.CutPrefix(scheme, "jdbc:")
	if !ok || !isScheme(driver) {
		return a, "not a URL", "set it to PROTOCOL://HOST/..."
	}
	a.scheme = strings.ToLower(scheme)
	authority, path := rest, ""
	end := "/?#"
	if jdbc {
		end = "/?#;" // jdbc:sqlserver://HOST;databaseName=NAME
	}
	if n := strings.IndexAny(rest, end); n >= 0 {
		authority, path = rest[:n], rest[n:]
	}
	web := a.scheme == "http" || a.scheme == "https" || a.scheme == "ws" || a.scheme == "wss"
	at := strings.LastIndexByte(authority, '@')
	switch {
	case at < 0 && strings.Contains(path, "@") && (badPort(authority) || isDatabase(a.scheme) && strings.Contains(beforeQuery(path), "@")):
		return a, "a URL with /, ? or # in its user or password", "percent-encode them: %2F, %3F, %23 (--set with |urlencode does it)"
	case at >= 0:
		info := authority[:at]
		if strings.ContainsAny(info, "@[]<>\"{}|\\^`") {
			return a, "a URL with @ or a bracket in its user or password", "percent-encode it: @ is %40 (--set with |urlencode does it)"
		}
		user, password, _ := strings.Cut(info, ":")
		var fine, too bool
		a.user, fine = percentDecoded(user)
		a.password, too = percentDecoded(password)
		if !fine || !too {
			return a, "a URL with a % in its user or password that encodes nothing", "write % as %25"
		}
	}
	for _, host := range strings.Split(authority[at+1:], ",") {
		name := host
		if n := portColon(host); n >= 0 {
			name = host[:n]
		}
		switch {
		case badPort(host):
			return a, "a URL whose port is not a number up to 65535", "correct the port, or percent-encode a : or / in the password"
		case web && (name == "" || strings.Contains(name, "..")):
			return a, "a URL without a host, or with two dots in it", "set it to PROTOCOL://HOST/..."
		case !isHost(name):
			return a, "a URL whose host cannot be one", "correct the host"
		}
		a.hosts = append(a.hosts, strings.ToLower(host))
	}
	return a, "", ""
}

func isScheme(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && (i == 0 || !isDigit(c) && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

// isHost is lenient: a name, an IPv4 address, an IPv6 address in brackets, a percent-encoded path of a socket, or nothing.
func isHost(s string) bool {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		inner, _, _ = strings.Cut(inner, "%25") // a zone (RFC 6874)
		return ok && strings.Contains(inner, ":") && strings.Trim(inner, "0123456789abcdefABCDEF:.%") == ""
	}
	if _, fine := percentDecoded(s); !fine {
		return false
	}
	return !strings.ContainsAny(s, "[]<>\"{}|\\^`$&+=;!*'()@:")
}

// portColon returns where the port of a host begins, or -1.
func portColon(host string) int {
	n := strings.LastIndexByte(host, ':')
	if n < strings.LastIndexByte(host, ']') {
		return -1
	}
	return n
}

func badPort(host string) bool {
	n := portColon(host)
	if n < 0 {
		return false
	}
	_, err := strconv.ParseUint(host[n+1:], 10, 16)
	return err != nil && n+1 < len(host) // without a number it is the protocol's own
}

// isDatabase knows the protocols whose URLs have no @ in their path, but often a / in a password that should be encoded.
func isDatabase(scheme string) bool {
	base, _, _ := strings.Cut(scheme, "+")
	return known(base, []string{"postgres", "postgresql", "mysql", "mariadb", "mongodb", "redis", "rediss", "amqp", "amqps"})
}

func beforeQuery(path string) string {
	path, _, _ = strings.Cut(path, "?")
	return path
}

func percentDecoded(s string) (string, bool) {
	if !strings.Contains(s, "%") {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		b.WriteByte(byte(n))
		i += 2
	}
	return b.String(), true
}

func (t *Type) checkURL(value string) (all []finding) {
	add := func(rule, what, advice string) { all = append(all, finding{rule, what, advice}) }
	full := value
	if t.PrependHTTPS && !strings.Contains(value, "://") {
		full = "https://" + value
	}
	a, what, advice := parseURL(full)
	if what != "" {
		add("url", what, advice)
		return all
	}
	if t.AllowedProtocols != nil {
		// A driver may be named behind a +: postgresql+asyncpg is postgresql.
		base, _, _ := strings.Cut(a.scheme, "+")
		if !known(a.scheme, t.AllowedProtocols) && !known(base, t.AllowedProtocols) {
			add("allowedProtocols", "a URL whose protocol is not "+joined(t.AllowedProtocols), "correct the protocol")
		}
	}
	if t.AllowedDomains != nil {
		for _, host := range a.hosts {
			name := host
			if n := portColon(host); n >= 0 {
				name = host[:n]
			}
			if !known(host, t.AllowedDomains) && !known(name, t.AllowedDomains) {
				add("allowedDomains", "a URL whose host is not "+joined(t.AllowedDomains), "correct the host")
				break
			}
		}
	}
	if t.NoTrailingSlash && strings.HasSuffix(value, "/") {
		add("noTrailingSlash", "a URL that ends in /", "remove the /")
	}
	return append(all, t.checkPattern(value)...)
}
