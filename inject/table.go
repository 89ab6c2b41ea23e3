package inject

import "strings"

// wantsPath reports whether a variable X_FILE belongs to a program that wants the path and not a
// variable X with the contents, and whose it is, in words for people. Expanding every X_FILE
// has broken programs in public: Grafana (issue 12239), paperless-ngx (issue 3244).
//
// A name is in the table when reading it would break its program, or change what it does:
//   - The program knows no X. It opens the file itself (TLS material, configuration, credential
//     files) or writes it (logs, state), or the value is no path at all but a switch.
//   - The file is renewed while the program runs (workload identity, token sinks): a copy
//     of it goes stale.
//   - The path is more than its contents. Ansible runs a password file that is executable.
//   - X_FILE is the documented interface of a tool that reads the file itself and that scripts call
//     again and again (restic, Pulumi, step): left alone, nothing is lost.
//
// Not in it are those that a server or the entrypoint of its image merely turns into X: PostgreSQL,
// MySQL, MariaDB, MinIO's root user, RabbitMQ's default user. They work with X alone, and
// whoever runs this program in front of them expects the file to be read.
//
// It does not allocate: it is asked about every X_FILE of an environment.
func wantsPath(reference string) (owner string, ok bool) {
	name, ok := strings.CutSuffix(reference, "_FILE")
	if !ok {
		return "", false
	}
	if owner = programOf(reference); owner == "" {
		owner = schemeOf(name)
	}

	if owner == "" {
		owner = contentsOf(name)
	}
	return owner, owner != ""
}

// contentsOf returns what a file is by the name before _FILE, when that means a path in whatever
// program; else nothing.
func contentsOf(name string) string {
	switch {
	case strings.HasSuffix(name, "SASL_JAAS_CONFIG"), // Kafka's sasl.jaas.config holds the password
		strings.HasSuffix(name, "PGAUDIT_LOG"), // the statements that PostgreSQL's pgAudit logs
		// Azure's, which is a password.
		strings.HasSuffix(name, "AZURE_ACCOUNT_KEY"),
		strings.HasSuffix(name, "COSMOS_ACCOUNT_KEY"),
		strings.HasSuffix(name, "STORAGE_ACCOUNT_KEY"):
		return ""
	}

	for words := 1; words <= 3; words++ {
		if owner := contentsByWords(lastWords(words, name)); owner != "" {
			return owner
		}
	}

	if tlsKey(name) {
		return "a TLS or SSH key"
	}
	return ""
}

// tlsKey reports whether a name ends in KEY and has a word that says that it is a key of TLS, SSH
// or the like, which programs open by themselves: REDIS_TLS_CLIENT_KEY, SSL_RESTAPI_PRIVATE_KEY.
// One that is for people is not: SSL_API_KEY.
func tlsKey(name string) bool {
	if lastWord(name) != "KEY" {
		return false
	}

	before, found := "", false
	for word := range strings.SplitSeq(strings.ToUpper(name[:len(name)-len("KEY")]), "_") {
		switch word {
		case "CERT", "CERTIFICATE", "DKIM", "FTPS", "GPG", "HTTPS", "IMAPS", "LDAPS", "MTLS", "PGP",
			"SFTP", "SMTPS", "SSH", "SSL", "TLS", "X509":
			found = true
		}
		if word != "" {
			before = word
		}
	}

	switch before {
	case "ACCESS", "API", "APP", "AUTH", "ENCRYPTION", "LICENSE", "MASTER", "SECRET", "SESSION":
		return false
	}
	return found
}

// schemeOf returns whose variable X_FILE is when the program's name and a rule say so; else
// nothing.
func schemeOf(name string) string {
	program, setting, _ := strings.Cut(name, "_")
	switch program {
	case "": // also of X__FILE, which is not X_ from a file
	case "AUTHELIA": // fatal with X beside it
		return "Authelia, which reads its own secrets"
	// PROGRAM__section__key_file; their secrets are PROGRAM__section__key__FILE or _SECRET.
	case "AIRFLOW", "FORGEJO", "GITEA":
		if strings.HasPrefix(setting, "_") && !strings.HasSuffix(setting, "_") {
			return "a setting of Airflow, Forgejo or Gitea that is a path"
		}

	// The keys of Grafana's configuration that end in _key_file; its secrets are GF_X__FILE.
	case "GF":
		if lastWord(setting) == "KEY" && !strings.HasSuffix(setting, "SECRET_KEY") {
			return "Grafana"
		}
	case "NTFY": // NTFY_AUTH_FILE is its database
		return "ntfy"
	case "BESU", "TEKU", "WEB3SIGNER": // PROGRAM_X_FILE is its option --x-file
		return "an Ethereum client's option"
	case "CN", "GLUU": // set in the images, also where nothing needs the file
		return "Janssen or Gluu"
	}

	if strings.HasSuffix(name, "_") {
		return "X__FILE, which is none of the references asked for"
	}
	return ""
}

// lastWords returns the last n words of a name, or all of it when it has fewer.
func lastWords(n int, name string) string {
	i := len(name)
	for ; n > 0 && i >= 0; n-- {
		i = strings.LastIndexByte(name[:i], '_')
	}
	return name[i+1:]
}

// contentsByWords returns what a file is when the words before _FILE mean a path in whatever
// program, as in REDIS_TLS_CERT_FILE and CERT_FILE; else nothing. KEY alone is a secret's word.
func contentsByWords(words string) string {
	switch words {
	case "CERT", "CERTIFICATE", "CERTS", "CERT_CHAIN", "CLIENTCERT", "CRT", "FULLCHAIN", "SSLCERT",
		"TLSCERT":
		return "a TLS certificate"
	case "CLIENTKEY", "HOST_KEY", "PRIVKEY", "SSLKEY", "TLSKEY":
		return "a TLS or SSH key"
	case "CA", "CABUNDLE", "CACERT", "CACERTS", "CA_BUNDLE":
		return "certificate authorities"
	case "CRL":
		return "revoked certificates"
	case "DHPARAM", "DHPARAMS", "DH_PARAM", "DH_PARAMS":
		return "TLS parameters"
	case "JKS", "KEYSTORE", "KEYSTORE_FILE", "KEY_STORE", "P12", "PFX", "PKCS12":
		return "a keystore"
	case "TRUSTSTORE", "TRUSTSTORE_FILE", "TRUST_STORE":
		return "a truststore"
	case "JWKS", "JWK_SET", "KEYRING", "KEYSET":
		return "a set of keys"
	case "KEY_PRIVATE", "KEY_PUBLIC":
		return "a key of a pair"
	case "ACCOUNT_KEY":
		return "the key of a service's or an ACME account"
	case "KEYTAB":
		return "a Kerberos keytab"
	case "KNOWN_HOSTS":
		return "SSH known hosts"
	case "IDENTITY_TOKEN", "OIDC_TOKEN":
		return "a workload's identity, which is renewed"
	case "SERVICE_ACCOUNT":
		return "a cloud's service account"
	case "IDENTITIES":
		return "the identities of an SSH or age client"
	case "KUBECONFIG":
		return "a kubectl configuration"
	case "ACL", "AUTH_USER", "HBA", "HTPASSWD", "PGHBA", "USERLIST", "USERS":
		return "a list of who may log in"
	case "NETRC", "PASSWORDS", "PGPASS", "SECRETS", "TOKENS":
		return "a file of several secrets"
	case "SHARED_CREDENTIALS":
		return "AWS profiles"
	case "NATS_CREDS":
		return "NATS clients"
	case "CONF", "CONFIG", "CONFIGURATION":
		return "a configuration file"
	case "ENV":
		return "an env file"
	case "CACHE", "HISTORY", "LOCK", "LOG", "OUTPUT", "PID", "RECOVERY", "SOCK", "SOCKET", "STATE",
		"STATUS":
		return "a file that its program writes"
	case "CSS", "JS", "MANIFEST", "METADATA", "POLICY", "RULES", "SCHEMA", "TEMPLATE":
		return "a file of the program's own, and no secret"
	}

	return ""
}
