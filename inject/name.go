package inject

import (
	"strings"
	"unicode/utf8"
)

// maxFileName is the most bytes the name of a secret's file may have: what
// Kubernetes allows for a key (IsConfigMapKey in its apimachinery/pkg/util/validation); Swarm
// allows 64. Anything longer was not put there by an orchestrator.
const maxFileName = 253

// Name makes the variable name for a file called file in a directory exported with
// prefix: upper-cased, every character outside A-Z, 0-9 and underscore an
// underscore, an underscore before a leading digit, prefix in front. Only ASCII
// letters have an upper case here, so that no locale can change a name. It says
// what is wrong with a name it can't make one of.
func Name(prefix, file string) (name, wrong string) {
	switch {
	case file == "":
		return "", "the name is empty"
	case len(file) > maxFileName:
		return "", "the name is longer than the 253 bytes that a secret's may have"
	case !utf8.ValidString(file):
		return "", "the name is not UTF-8"
	}
	b := make([]byte, 0, len(prefix)+len(file)+1)
	b = append(b, prefix...)
	if isDigit(file[0]) {
		b = append(b, '_')
	}
	plain := false
	for _, r := range file {
		if 'a' <= r && r <= 'z' {
			r += 'A' - 'a'
		}
		if r >= utf8.RuneSelf || !isNameRune(r) {
			r = '_'
		}
		plain = plain || r != '_'
		b = append(b, byte(r))
	}
	if !plain {
		return "", "the name has no letter or digit of A-Z and 0-9"
	}
	return string(b), ""
}

// refusedPrefixes are families of refused variables, and this program's own options.
var refusedPrefixes = [...]string{"LD_", "DYLD_", "BASH_FUNC_", "LUA_INIT_", "MALLOC_", "COR_", "CORECLR_", "GIT_CONFIG", "GUNICORN_", ownPrefix}

// ownPrefix is that of the options of secret-entrypoint, which no file may set.
const ownPrefix = "SECRET_ENTRYPOINT_"

// Refused reports whether a variable of this name is refused from directories, dotenv files and
// JSON, because it changes how programs load or run: whoever writes one of them runs code in the
// process, which is more than a secret's author should be able to.
// Sources: ld.so(8), environ(7), bash(1), node(1), python(1), perlrun(1), ruby(1), java(1), php(1),
// lua(1), git(1), openssl-env(7).
func Refused(name string) bool {
	for _, p := range refusedPrefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	switch name {
	case "BUNDLE_GEMFILE", "ERL_AFLAGS", "ERL_FLAGS", "ERL_ZFLAGS", "GEM_HOME", "GEM_PATH", "GIT_ASKPASS", "JAVA_OPTS", "MAVEN_OPTS",
		"PYTHONPYCACHEPREFIX", "RUSTC_WRAPPER", "SSH_ASKPASS", "ZDOTDIR", "BASHOPTS", "BASH_ENV", "CDPATH", "CLASSPATH",
		"DOTNET_STARTUP_HOOKS", "ENV", "GCONV_PATH", "GETCONF_DIR", "GIT_EXEC_PATH", "GIT_SSH",
		"GIT_SSH_COMMAND", "GLIBC_TUNABLES", "GLOBIGNORE", "HOSTALIASES", "IFS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS",
		"LOCALDOMAIN", "LOCPATH", "LUA_CPATH", "LUA_INIT", "LUA_PATH", "NIS_PATH", "NLSPATH", "NODE_OPTIONS", "NODE_PATH",
		"OPENSSL_CONF", "OPENSSL_ENGINES", "OPENSSL_MODULES", "PATH", "PERL5DB", "PERL5LIB", "PERL5OPT", "PERLLIB",
		"PHPRC", "PHP_INI_SCAN_DIR", "PROMPT_COMMAND", "PS4", "PYTHONBREAKPOINT", "PYTHONHOME", "PYTHONINSPECT",
		"PYTHONPATH", "PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHONWARNINGS", "RESOLV_HOST_CONF", "RES_OPTIONS", "RUBYLIB",
		"RUBYOPT", "SHELLOPTS", "TMPDIR", "TZDIR", "_JAVA_OPTIONS":
		return true
	}
	return false
}

// IsName reports whether s can name a variable in a shell: a letter or
// underscore, then letters, digits and underscores.
func IsName(s string) bool {
	if s == "" || isDigit(s[0]) {
		return false
	}
	for _, r := range s {
		if !isNameRune(r) && (r < 'a' || r > 'z') {
			return false
		}
	}
	return true
}

func isNameRune(r rune) bool {
	return r == '_' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
