package inject

import "strings"

// RefusedName reports whether a variable of this name is refused from directories, dotenv files,
// JSON and the defaults of a schema, because it changes how programs load or run: whoever writes
// one of them runs code in the process, which is more than a secret's author should be able to.
//
// Programs add such variables with each version, so names that mean one thing everywhere are
// refused by what they end in: a program to run, options for one, a place from which code or
// configuration is loaded. A program whose variables have a scheme is refused by the scheme. A name
// of a scheme that ends as secrets and accounts do is none of these: NODE_AUTH_TOKEN, LD_SDK_KEY,
// MONO_CLIENT_ID. Case does not count: npm and .NET read their variables in any, and some systems'
// loaders do.
//
// Not refused is what only says to whom a program talks (HTTP_PROXY, DATABASE_URL): a secret's
// author says that anyway, and a proxy's URL often holds a password.
//
// Sources: ld.so(8), environ(7), bash(1), node(1), python(1), perlrun(1), ruby(1), java(1), php(1),
// lua(1), git(1), openssl-env(7), npm's config(7), uWSGI's and Bundler's configuration pages, the
// .NET runtime's configuration knobs.
func RefusedName(name string) bool {
	name = strings.ToUpper(name)
	switch {
	case name == "":
		return false
	// Any value may be @(exec://...), even of an unknown option.
	case strings.HasPrefix(name, "UWSGI_"):
		return true
	// Its image writes any value into a file of Python.
	case strings.HasPrefix(name, "PGADMIN_CONFIG_"):
		return true
	case isListed(secretWords, lastWords(1, name)) && looksSecret(name):
		return false
	case isListed(refusedNames, name), endsInCode(name), leadsToCode(name):
		return true
	case looksSecret(name), isListed(accountWords, lastWord(name)):
		return false
	}

	return refusedScheme(strings.TrimLeft(name, "_")) || jvmOptions(name)
}

// isListed finds a word in a list of sorted words with a blank between: code that compares a name
// with each of them would be twice as long as their text.
func isListed(list, word string) bool {
	for list != "" {
		middle := len(list) / 2
		begin := strings.LastIndexByte(list[:middle], ' ') + 1
		end := len(list)
		if n := strings.IndexByte(list[middle:], ' '); n >= 0 {
			end = middle + n
		}

		switch found := list[begin:end]; {
		case found == word:
			return true
		case found < word:
			list = list[min(end+1, len(list)):]
		default:
			list = list[:max(begin-1, 0)]
		}
	}

	return false
}

// secretWords end the names of most secrets, and none of what the lists below hold or their rules
// mean: these are not gone through for each secret.
const secretWords = "DSN KEY PASSWORD SECRET TOKEN URL USERNAME"

// accountWords end the names of what is no program's setting, besides secrets.
const accountWords = "ACCOUNT BUCKET COOKIE EMAIL ID IDENT IDS JWT KEYS LICENSE LOGIN ORG " +
	"PASSWORDS PAT PATS PIN PORT REALM REGION SECRETS TENANT TOKENS"

// refusedNames are the variables that no rule below knows.
const refusedNames = "APACHE_CONFDIR APACHE_ENVVARS APACHE_HTTPD APP_CONFIG_CACHE " +
	"APP_EVENTS_CACHE APP_PACKAGES_CACHE APP_ROUTES_CACHE APP_SERVICES_CACHE AUTOSSH_PATH " +
	"AWKLIBPATH AWKPATH AWS_CREDENTIAL_FILE AWS_DATA_PATH AWS_SHARED_CREDENTIALS_FILE BASHOPTS " +
	"BOOTSNAP_CACHE_DIR BORG_REMOTE_PATH BOTO_CONFIG BROWSER BUILDAH_RUNTIME " +
	"CASC_JENKINS_CONFIG CC CCACHE_COMPILER CCACHE_PREFIX CDPATH CELERY_CONFIG_MODULE " +
	"CELERY_CUSTOM_WORKER_POOL CELERY_LOADER CHROME_PATH CLJ_CONFIG CLOUDSDK_CONFIG " +
	"CLOUDSDK_PYTHON_SITEPACKAGES CL_SOURCE_REGISTRY CNI_PATH COMPILER_PATH COMPOSER " +
	"COMPOSE_FILE COMSPEC CONTAINERS_CONF COREPACK_INTEGRITY_KEYS COVERAGE_PROCESS_START CPATH " +
	"CPP CPUPROFILE CXX DOCKER_CONFIG DOCKER_MODS ELECTRON_RUN_AS_NODE EMACSDATA EMACSLOADPATH " +
	"ENV ES_PATH_CONF EXINIT FCEDIT FFMPEG_PATH FLASK_APP FLINK_PROPERTIES FPATH FREETDSCONF " +
	"FREI0R_PATH FUNCTION_SOURCE GCC_EXEC_PREFIX GCOV_PREFIX GDAL_DATA GH_BROWSER GLOBIGNORE " +
	"GMON_OUT_PREFIX GNUMAKEFLAGS GNUPGHOME GNUTLS_SYSTEM_PRIORITY_FILE GOAUTH GOCACHEPROG " +
	"GOCOVERDIR GODEBUG GOENV GOFLAGS GOOGLE_ENTRYPOINT " +
	"GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES GOPATH GOROOT GOTOOLCHAIN GRAPHVIZ_DOT " +
	"GREP_OPTIONS GRPC_DEFAULT_SSL_ROOTS_FILE_PATH GSS_MECH_CONFIG GS_LIB GVIMINIT HEAPPROFILE " +
	"HF_MODULES_CACHE HGMERGE HOME HOSTALIASES HSA_TOOLS_LIB HTTPLIB2_CA_CERTS IFS IPYTHONDIR " +
	"JAVA JAVACMD JBOSS_MODULEPATH JETTY_BASE JETTY_PROPERTIES JUPYTER_DATA_DIR JUPYTER_PATH " +
	"KRB5CCNAME KUBECONFIG LADSPA_PATH LAMBDA_TASK_ROOT LDAPCONF LESS LESSCLOSE LESSECHO " +
	"LESSEDIT LESSGLOBALTAGS LESSKEY LESSKEYIN LESSKEYIN_SYSTEM LESSKEY_CONTENT LESSKEY_SYSTEM " +
	"LESSOPEN LIBCLANG_PATH LIBPATH LISTEN_FDNAMES LISTEN_FDS LISTEN_PID LLVM_PROFILE_FILE " +
	"LOADER_MAIN LOADER_PATH LOCALDOMAIN LOGGING_CONFIG LOGGING_MANAGER LV2_PATH MAILCAPS " +
	"MAKEFILES MAKEFLAGS MAVEN_CONFIG MIX_ARCHIVES MIX_EXS MIX_PATH MODPROBE_OPTIONS MODULEPATH " +
	"MOJO_CONFIG MPLBACKEND MPLCONFIGDIR MYSQL_TEST_LOGIN_FILE NIS_PATH NLSPATH NLTK_DATA " +
	"NODE_CHANNEL_FD NODE_COMPILE_CACHE NODE_EXTRA_CA_CERTS NODE_ICU_DATA NODE_OPTIONS " +
	"NODE_PATH NODE_REDIRECT_WARNINGS NODE_TLS_REJECT_UNAUTHORIZED NODE_V8_COVERAGE " +
	"NOTIFY_SOCKET NULLCMD NUMBA_CACHE_DIR NVM_DIR ODBCINI ODBCINSTINI ODBCSYSINI OPENSC_CONF " +
	"OTEL_PYTHON_CONFIGURATOR OTEL_PYTHON_DISTRO P4DIFF PACKER_CONFIG PARALLEL PATH PGLOCALEDIR " +
	"PGSERVICEFILE PGSYSCONFDIR PHP_INI_SCAN_DIR PKCS11SPY PKCS11_PROVIDER_MODULE PKG_CONFIG " +
	"PLAYWRIGHT_BROWSERS_PATH PLTADDONDIR PLTCOLLECTS PROJ_DATA PROJ_LIB PS0 PS1 PS2 PS3 PS4 " +
	"PSMODULEPATH PSQL_HISTORY PYPANDOC_PANDOC PYTEST_ADDOPTS RABBITMQ_CONF_ENV_FILE " +
	"RAKE_SYSTEM RAY_RUNTIME_ENV_HOOK READNULLCMD RELEASE_SYS_CONFIG RENOVATE_ALLOWED_COMMANDS " +
	"RES_OPTIONS ROCP_TOOL_LIB RSTUDIO_PANDOC RSYNC_CONNECT_PROG RUNJAVA RUSTDOC RUSTFLAGS " +
	"R_ENVIRON_USER R_LIBS_USER R_PROFILE_USER SASL_PATH SDL_DYNAMIC_API SENTRY_CONF SHELL " +
	"SHELLOPTS SNMPCONFPATH SOFTHSM2_CONF SPRING_APPLICATION_JSON SPRING_MAIN_SOURCES " +
	"SSH_AUTH_SOCK SSH_PKCS11_HELPER SSH_SK_HELPER SSH_SK_PROVIDER SSLKEYLOGFILE SSL_CERT_DIR " +
	"SSL_CERT_FILE SSL_DIR STARSHIP_CONFIG SUPERSET_CONFIG SUPERVISORD_CONF SVN_MERGE SVN_SSH " +
	"TAR_OPTIONS TCLLIBPATH TDSDUMP TDSDUMPCONFIG TERMCAP TERMINFO TERMINFO_DIRS " +
	"TESSDATA_PREFIX TF_DATA_DIR TF_PLUGIN_CACHE_DIR TF_REATTACH_PROVIDERS THOR_MERGE " +
	"TK_LIBRARY TMPDIR TNS_ADMIN TPM2OPENSSL_TCTI TPM2TOOLS_TCTI TRITON_CACHE_DIR " +
	"TRUFFLERUBYOPT TZDIR VIMINIT VIMRUNTIME VIRTUAL_ENV VISUAL WP_CLI_PHP XZ_DEFAULTS XZ_OPT " +
	"ZDOTDIR ZIPOPT _RUNJAVA _RUNJDB"

// codeEndings end the names of what means the same whoever's variable it is: a program to run, the
// options of one, code to load, a program's own directory.
var codeEndings = []string{
	"ASKPASS", "EDITOR", "_RSH", "_EXTERNAL_DIFF", "_BIN", "_BINARY", "_EXE", "_EXECUTABLE",
	"_EXEC", "_INTERPRETER", "_LAUNCHER", "_PYTHON", "_SCRIPT", "_SCRIPTS", "_SHELL",
	"_WRAPPER", "STARTUP_HOOKS", "STAGE2_HOOK",

	"CFLAGS", "CPPFLAGS", "CXXFLAGS", "LDFLAGS", "MALLOC_CONF", "SAN_OPTIONS", "VM_OPTIONS",
	"VMOPTIONS", "VM_PARAMS", "_HEAP", "_HEAP_SIZE", "HEAPSIZE", "_SWITCHES",

	"CLASSPATH", "GCONV_PATH", "LOCPATH", "RCPATH", "_LIBRARIES", "_PLUGIN", "_PLUGINS",
	"_PRELOAD", "_HOME", "_RCFILE", "HISTFILE", "_CA_BUNDLE", "CONFDIR", "DLLPATH", "EXECPATH",
	"MODULEDIR", "MODULEPATH", "PLUGINPATH",
}

// endsInCode knows what a name says of a program's code, whoever's it is.
func endsInCode(name string) bool {
	for _, ending := range codeEndings {
		if strings.HasSuffix(name, ending) {
			return true
		}
	}

	// Not what people are told by, or tell a program: SLACK_COMMAND, TWILIO_PAGER.
	if strings.HasSuffix(name, "COMMAND") || strings.HasSuffix(name, "PAGER") ||
		strings.HasSuffix(name, "_CMD") {
		return !ofMessages(name)
	}

	// A start script has each its own: KAFKA_OPTS, CATALINA_OPTS, a Gradle program's own. The
	// options of a connection are no program's.
	for _, ending := range [...]string{"_OPTS", "_ARGS"} {
		if stem, ok := strings.CutSuffix(name, ending); ok {
			return !isListed(connections, lastWord(stem))
		}
	}

	// The file of a program's settings, in one word: PSQLRC, GEMRC.
	oneWord := len(name) > len("IRC") && !strings.Contains(name, "_")
	return oneWord && strings.HasSuffix(name, "RC") && !strings.HasSuffix(name, "SRC")
}

// connections are what programs connect to.
const connections = "AMQP CONN CONNECTION DATABASE DB EMAIL INITDB LDAP MAIL MARIADB MONGO " +
	"MONGODB MYSQL PG POSTGRES POSTGRESQL REDIS S3 SMTP SQL URL VALKEY"

// ofMessages reports whether a name has the word of a service by which people are told something.
func ofMessages(name string) bool {
	const services = "ALERT BOT CHAT DISCORD MATTERMOST ONCALL OPSGENIE PAGERDUTY SLACK SMS " +
		"TEAMS TELEGRAM TWILIO VICTOROPS"
	for word := range strings.SplitSeq(name, "_") {
		if isListed(services, word) {
			return true
		}
	}

	return false
}

// leadsToCode knows the names of places from which code is loaded, or a configuration, which may
// name code: MODULE_PATH, PLUGINS_DIR, DRIVER_PATH, CONFIG_FILE, also with their words glued.
func leadsToCode(name string) bool {
	const places = "DIR DIRECTORIES DIRECTORY DIRS FILE FILENAMES FILES FOLDER FOLDERS LOCATION " +
		"LOCATIONS PATH PATHS"
	word := lastWord(name)
	if !isListed(places, word) || len(word) == len(name) {
		return false
	}

	stem := strings.TrimSuffix(name[:len(name)-len(word)-1], "_ADDITIONAL")
	last := lastWord(stem)
	// Not UPLOAD; and a program's own BACKEND is a service.
	switch last {
	case "LOAD", "BACKENDS", "DAG", "DAGS", "JAR", "JARS":
		return true
	}

	last = strings.TrimSuffix(last, "S")
	for _, code := range [...]string{
		"LIBRARY", "LIBRARIE", "LIB", "MODULE", "PLUGIN", "DRIVER", "LAYER", "VENDOR", "EXTENSION",
		"PROVIDER", "ADDON", "ENGINE",
		"INJECTION64", "ICD", "EXECUTABLE", "BINARY", "CONFIG", "CONF", "CFG", "CONFIGURATION",
		"BOOTSTRAP", "VMARG", "ARG", "OPT", "EXEC", "SCRIPT", "CODE", "COMPILED", "COMPONENT",
		"PACKAGE", "HOOK", "TOOLCHAIN",
	} {
		if strings.HasSuffix(last, code) {
			return true
		}
	}

	return false
}

// jvmOptions knows the options that a JVM takes from the environment, and those that scripts pass
// to it: JAVA_TOOL_OPTIONS, _JAVA_OPTIONS, JAVA_OPTS_APPEND, SERVER_JVMFLAGS, SOLR_JAVA_MEM.
func jvmOptions(name string) bool {
	const programs = "BOOKIE CASSANDRA HADOOP HBASE KAFKA PULSAR SOLR ZK ZOO"
	first, _, _ := strings.Cut(name, "_")
	switch {
	case strings.Contains(name, "JAVAAGENT"):
		return true
	case strings.HasSuffix(name, "_MEM") && isListed(programs, first):
		return true
	case !strings.Contains(name, "JAVA") && !strings.Contains(name, "JVM"):
		return false
	}

	for word := range strings.SplitSeq(name, "_") {
		for _, options := range [...]string{
			"OPTS", "OPTIONS", "ARGS", "FLAGS", "PARAMS", "MEM", "ADDITIONAL",
		} {
			if strings.HasSuffix(word, options) {
				return true
			}
		}
	}

	return false
}

// schemes are the programs and libraries all of whose variables begin alike, some of which run
// code.
const schemes = "ALSA ANSIBLE BASH BUN BUNDLER CAML CARGO CATALINA COMPLUS CONDA COR CORECLR " +
	"COREPACK CUPS DBUS DENO DYLD EGL ELIXIR EXE4J FISH GBM GEM GHC GIO GLIBC GLX GST GTK GTK2 " +
	"GTK3 GUILE INSTALL4J JULIA KRB5 LD LDAPTLS LIBGL LIBMYSQL LIBVA LOG4J LOG4J2 LUA LUAROCKS " +
	"MAGICK MALLOC MAMBA MESA MIMALLOC MONO NIX NUGET OCL OCTAVE OPENCL OPENSSL PDM PERL PERL5 " +
	"PIP PIPENV PIPX PNPM PRISMA PULSE PYENV PYSPARK QEMU QML QML2 QT R RELX RENV RESOLV RUSTC " +
	"RUSTUP S6 TCL TCMALLOC VDPAU VIRTUALENV VK XDEBUG XDG YARN"

// refusedScheme knows the programs by what their variables begin with.
func refusedScheme(name string) bool {
	first, rest, _ := strings.Cut(name, "_")
	if isListed(schemes, first) {
		return true
	}

	switch first {
	case "ERL":
		return rest != "COOKIE"
	case "UV":
		return rest != "THREADPOOL_SIZE" // libuv's
	case "DOTNET": // the host's configuration, as DOTNET_ConnectionStrings__Main, is the program's
		return rest != "ENVIRONMENT" && !strings.Contains(rest, "__")
	case "BUNDLE": // BUNDLE_GEMS__EXAMPLE__COM is the password for that host
		setting, _, host := strings.Cut(rest, "__")
		return !host || setting == "BUILD" || setting == "LOCAL" || setting == "MIRROR"
	case "GUNICORN", "UVICORN", "GRANIAN":
		return !isListed(plainSettings, lastWord(rest))
	case "GIT":
		return gitVariable(rest)
	}

	return knownBeginning(name)
}

// knownBeginning knows the programs whose variables follow their name without an underscore, and
// those of which only some variables run code.
func knownBeginning(name string) bool {
	if rest, ok := strings.CutPrefix(name, "PYTHON"); ok {
		// These are common in dotenv files, and harmless.
		return !isListed("DONTWRITEBYTECODE FAULTHANDLER HASHSEED IOENCODING UNBUFFERED UTF8 "+
			"_ENV _VERSION", rest)
	}

	for _, beginning := range [...]string{
		"PERLLIB", "PERLIO", "PERL5", "RUBY", "OCAML", "GHCRTS",
		"MSBUILD",

		"ACTIONS_RUNNER_HOOK_", "ASPNETCORE_HOSTINGSTARTUP", "COUCHDB_QUERY_SERVER_",
		"KONG_NGINX_", "NGINX_ENVSUBST_", "NODE_REPL_", "NPM_CONFIG", "OMPI_MCA_",
		"OTEL_DOTNET_AUTO_", "SPRING_CONFIG_", "TF_CLI_", "TRAEFIK_EXPERIMENTAL_", "TS_NODE_",
	} {
		if strings.HasPrefix(name, beginning) {
			return true
		}
	}

	return false
}

// plainSettings end the names of a server's settings that are numbers, addresses or words.
const plainSettings = "BACKLOG CONCURRENCY CONNECTIONS HOST KEEPALIVE LEVEL LOGLEVEL PORT " +
	"REQUESTS THREADS TIMEOUT WORKERS"

// gitVariable knows git's own of the variables that begin with GIT_; GIT_COMMIT, GIT_BRANCH and the
// like are anybody's. Those that end in a command, an editor or a pager are known by that.
func gitVariable(rest string) bool {
	for _, beginning := range [...]string{
		"ALLOW_PROTOCOL", "ALTERNATE_", "ATTR_", "COMMON_DIR", "CONFIG", "DIR", "EXEC_PATH",
		"EXTERNAL_",
		"INDEX_FILE", "MAN_VIEWER", "OBJECT_", "PROTOCOL", "PROXY_", "REDIRECT_", "SSH", "SSL_",
		"TEMPLATE_DIR",
		"TRACE", "WORK_TREE",
	} {
		if strings.HasPrefix(rest, beginning) {
			return rest != "DIRTY"
		}
	}

	return false
}
