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
	if owner = programOf(reference); owner != "" {
		return owner, true
	}
	switch {
	case strings.HasSuffix(name, "_"): // X__FILE is not X_ from a file
		return "Grafana, Gitea and others, which read X__FILE themselves", true
	case strings.HasPrefix(name, "AUTHELIA_"): // fatal with X beside it
		return "Authelia, which reads its own secrets", true
	case strings.HasSuffix(name, "SASL_JAAS_CONFIG"): // Kafka's sasl.jaas.config holds the password
		return "", false
	}
	for words := 1; words <= 3; words++ {
		if owner = kindOf(lastWords(words, name)); owner != "" {
			return owner, true
		}
	}
	return "", false
}

// lastWords returns the last n words of a name, or all of it when it has fewer.
func lastWords(n int, name string) string {
	i := len(name)
	for ; n > 0 && i >= 0; n-- {
		i = strings.LastIndexByte(name[:i], '_')
	}
	return name[i+1:]
}

// kindOf returns what a file is when the words before _FILE mean a path in whatever program, as in
// REDIS_TLS_CERT_FILE and CERT_FILE; else nothing. KEY alone is a secret's word.
func kindOf(words string) string {
	switch words {
	case "CERT", "CERTIFICATE", "CERTS", "CRT":
		return "a TLS certificate"
	case "CERTIFICATE_KEY", "CERT_KEY", "HTTPS_KEY", "MTLS_KEY", "SSL_KEY", "TLS_KEY",
		"SSL_CLIENT_KEY", "SSL_PRIVATE_KEY", "SSL_SERVER_KEY",
		"TLS_CLIENT_KEY", "TLS_PRIVATE_KEY", "TLS_SERVER_KEY":
		return "a TLS key"
	case "CA", "CACERT", "CA_BUNDLE":
		return "certificate authorities"
	case "CRL":
		return "revoked certificates"
	case "DH_PARAMS":
		return "TLS parameters"
	case "KEYSTORE", "KEY_STORE":
		return "a keystore"
	case "TRUSTSTORE", "TRUST_STORE":
		return "a truststore"
	case "KEYTAB":
		return "a Kerberos keytab"
	case "KNOWN_HOSTS":
		return "SSH known hosts"
	case "IDENTITY_TOKEN", "OIDC_TOKEN":
		return "a workload's identity, which is renewed"
	case "SHARED_CREDENTIALS":
		return "AWS profiles"
	case "CLIENT_SECRETS":
		return "Google OAuth clients"
	case "NATS_CREDS":
		return "NATS clients"
	case "CONF", "CONFIG", "CONFIGURATION":
		return "a configuration file"
	case "ENV":
		return "an env file"
	case "CACHE", "HISTORY", "LOCK", "LOG", "OUTPUT", "PID", "SOCKET", "STATE", "STATUS":
		return "a file that its program writes"
	}
	return ""
}

// programOf returns whose variable X_FILE is, when it is a known program's; else nothing. A switch,
// unlike a map, costs nothing at start, and the compiler refuses a name that stands there twice.
func programOf(reference string) string {
	switch reference {
	case "ALIBABA_CLOUD_CONFIG_FILE", "ALIBABA_CLOUD_CREDENTIALS_FILE", "ALIBABA_CLOUD_OIDC_TOKEN_FILE":
		return "Alibaba Cloud SDKs"
	case "ANSIBLE_BECOME_PASSWORD_FILE", "ANSIBLE_CONNECTION_PASSWORD_FILE", "ANSIBLE_PRIVATE_KEY_FILE",
		"ANSIBLE_VAULT_PASSWORD_FILE", "K8S_AUTH_KEY_FILE":
		return "Ansible" // runs a password file that is executable
	case "AWS_WEB_IDENTITY_TOKEN_FILE":
		return "AWS SDKs (EKS IRSA)"
	case "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE":
		return "AWS SDKs (EKS Pod Identity, ECS)"
	case "AWS_CONFIG_FILE", "AWS_CREDENTIAL_FILE", "AWS_SHARED_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE":
		return "AWS SDKs and CLI"
	case "AZURE_FEDERATED_TOKEN_FILE", "AZURE_KUBERNETES_CA_FILE":
		return "Azure workload identity"
	case "MONGODB_EXTRA_DATABASES_FILE", "MONGODB_EXTRA_PASSWORDS_FILE", "MONGODB_REPLICA_SET_KEY_FILE",
		"PARSE_FORCE_OVERWRITE_CONF_FILE", "RABBITMQ_DEFINITIONS_FILE", "RABBITMQ_ERL_COOKIE_FILE",
		"TLS_RELAY_CLIENT_KEY_FILE":
		return "Bitnami images"
	case "BORG_KEY_FILE":
		return "BorgBackup" // writes it, too
	case "CR_PASSPHRASE_FILE":
		return "chart-releaser"
	case "TUNNEL_CRED_FILE", "TUNNEL_TOKEN_FILE":
		return "cloudflared"
	case "BASH_COMP_DEBUG_FILE":
		return "Cobra programs"
	case "CONJUR_AUTHN_TOKEN_FILE":
		return "Conjur clients" // a sidecar renews it
	case "CONSUL_DISABLE_KEYRING_FILE", "CONSUL_HTTP_TOKEN_FILE", "CONSUL_LOGIN_BEARER_TOKEN_FILE",
		"CONSUL_TOKEN_FILE":
		return "Consul and its tools" // CONSUL_DISABLE_KEYRING_FILE is a switch
	case "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE", "SIGSTORE_ROOT_FILE", "SIGSTORE_TSA_CERTIFICATE_FILE":
		return "cosign"
	case "COVERAGE_DEBUG_FILE", "COVERAGE_FILE":
		return "coverage.py"
	case "DD_DYNAMIC_INSTRUMENTATION_PROBE_FILE", "DD_SPAN_SAMPLING_RULES_FILE",
		"DD_TEST_OPTIMIZATION_ENV_DATA_FILE", "DD_TEST_OPTIMIZATION_MANIFEST_FILE":
		return "Datadog"
	case "BUILDX_BAKE_FILE":
		return "Docker Buildx"
	case "COMPOSE_DISABLE_ENV_FILE", "COMPOSE_FILE":
		return "Docker Compose" // a switch, and a list of paths
	case "DOPPLER_SECRETS_FILE":
		return "Doppler" // a name in its store, not a path
	case "ELASTIC_APM_LOG_FORMAT_FILE":
		return "Elastic APM" // a word, not a path
	case "ETCDCTL_KEY_FILE", "ETCD_CLIENT_KEY_FILE", "ETCD_KEY_FILE", "ETCD_PEER_CLIENT_KEY_FILE",
		"ETCD_PEER_KEY_FILE":
		return "etcd" // not every ETCD_*_FILE: ETCD_ROOT_PASSWORD is a secret
	case "FONTCONFIG_FILE":
		return "fontconfig"
	case "FZF_DEFAULT_OPTS_FILE":
		return "fzf"
	case "GIT_GRAFT_FILE", "GIT_INDEX_FILE":
		return "Git"
	case "EJSON_KEY_FILE", "GITSYNC_SSH_KEY_FILE", "GIT_SSH_KEY_FILE":
		return "git-sync and gomplate" // git-sync's default is /etc/git-secret/ssh, a secret directory by its name
	case "FORGEJO__SERVER__KEY_FILE", "FORGEJO__server__KEY_FILE", "GITEA__SERVER__KEY_FILE",
		"GITEA__server__KEY_FILE":
		return "Gitea and Forgejo"
	case "KUBERNETES_KEY_FILE":
		return "GitLab Runner and others"
	case "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE":
		return "Google Cloud CLI"
	case "GOOGLE_APPLICATION_CREDENTIALS_FILE", "GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE",
		"GOOGLE_SERVICE_ACCOUNT_FILE":
		return "Google's auth libraries" // GOOGLE_APPLICATION_CREDENTIALS is itself a path
	case "GF_AUTH_JWT_JWK_SET_FILE", "GF_AUTH_JWT_KEY_FILE", "GF_AUTH_LDAP_CONFIG_FILE", "GF_SERVER_CERT_FILE",
		"GF_SMTP_KEY_FILE":
		return "Grafana" // the keys of its configuration that end in _file
	case "HCP_CRED_FILE":
		return "HashiCorp Cloud"
	case "IBM_CREDENTIALS_FILE":
		return "IBM Cloud SDKs"
	case "INFISICAL_PAM_CONTEXT_FILE":
		return "Infisical"
	case "SAMPLING_STRATEGIES_FILE":
		return "Jaeger"
	case "JUPYTERHUB_COOKIE_SECRET_FILE":
		return "JupyterHub" // written on the first start
	case "K3S_AGENT_TOKEN_FILE", "K3S_TOKEN_FILE", "K3S_VPN_AUTH_FILE", "RKE2_AGENT_TOKEN_FILE",
		"RKE2_TOKEN_FILE":
		return "k3s and RKE2"
	case "KC_HTTPS_CERTIFICATE_FILE", "KC_HTTPS_CERTIFICATE_KEY_FILE", "KC_HTTPS_KEY_STORE_FILE",
		"KC_HTTPS_TRUST_STORE_FILE":
		return "Keycloak"
	case "DNSUPDATE_TSIG_FILE", "DNSUPDATE_TSIG_GSS_KEYTAB_FILE", "GCE_SERVICE_ACCOUNT_FILE",
		"OCI_PRIVKEY_FILE":
		return "lego"
	case "LLVM_PROFILE_FILE":
		return "LLVM"
	case "MINIO_CONFIG_ENV_FILE", "MINIO_KMS_KES_CERT_FILE", "MINIO_KMS_KES_KEY_FILE":
		return "MinIO" // MINIO_CONFIG_ENV_FILE is preset in its image
	case "MYSQL_TEST_LOGIN_FILE":
		return "MySQL clients"
	case "NIX_ATTRS_JSON_FILE", "NIX_ATTRS_SH_FILE", "NIX_SECRET_KEY_FILE", "NIX_SSL_CERT_FILE":
		return "Nix"
	case "OAUTH2_PROXY_AUTHENTICATED_EMAILS_FILE", "OAUTH2_PROXY_HTPASSWD_FILE":
		return "OAuth2 Proxy"
	case "SSL_CERT_FILE":
		return "OpenSSL, Go and others"
	case "OS_CLIENT_CONFIG_FILE", "OS_CLIENT_SECURE_FILE", "OS_CLIENT_VENDOR_FILE":
		return "OpenStack SDK"
	case "OCI_CLI_DELEGATION_TOKEN_FILE", "OCI_CLI_FIPS_LIBCRYPTO_FILE", "OCI_CLI_KEY_FILE", "OCI_CLI_RC_FILE",
		"OCI_CLI_SECURITY_TOKEN_FILE":
		return "Oracle Cloud CLI"
	case "PAPERLESS_MODEL_FILE", "PAPERLESS_OCR_SKIP_ARCHIVE_FILE":
		return "paperless-ngx" // PAPERLESS_OCR_SKIP_ARCHIVE_FILE is a word: never, with_text, always
	case "PASSAGE_IDENTITIES_FILE", "PASSAGE_RECIPIENTS_FILE":
		return "passage"
	case "PGADMIN_SERVER_JSON_FILE":
		return "pgAdmin"
	case "PGBACKREST_PG1_HOST_KEY_FILE", "PGBACKREST_REPO1_HOST_KEY_FILE":
		return "pgBackRest"
	case "REGISTRY_AUTH_FILE":
		return "Podman, Buildah and Skopeo"
	case "PULUMI_CONFIG_PASSPHRASE_FILE":
		return "Pulumi"
	case "RABBITMQ_CLI_ALIASES_FILE", "RABBITMQ_ENABLED_PLUGINS_FILE", "RABBITMQ_FEATURE_FLAGS_FILE",
		"RABBITMQ_MOTD_FILE":
		return "RabbitMQ"
	case "RCLONE_AZUREBLOB_SERVICE_PRINCIPAL_FILE", "RCLONE_AZUREFILES_SERVICE_PRINCIPAL_FILE",
		"RCLONE_CONFIG_SFTP_KEY_FILE", "RCLONE_DRIVE_SERVICE_ACCOUNT_FILE", "RCLONE_GCS_SERVICE_ACCOUNT_FILE",
		"RCLONE_OOS_SSE_CUSTOMER_KEY_FILE", "RCLONE_SFTP_KEY_FILE", "RCLONE_SFTP_PUBKEY_FILE":
		return "rclone" // not every RCLONE_*_FILE: RCLONE_CONFIG_<remote>_SECRET_ACCESS_KEY is a secret
	case "RESTIC_FROM_PASSWORD_FILE", "RESTIC_FROM_REPOSITORY_FILE", "RESTIC_PASSWORD_FILE",
		"RESTIC_REPOSITORY_FILE", "RUSTIC_PASSWORD_FILE":
		return "restic and rustic"
	case "SNOWFLAKE_PRIVATE_KEY_FILE":
		return "Snowflake"
	case "SOPS_AGE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_FILE":
		return "sops"
	case "STEP_PASSWORD_FILE", "STEP_PROVISIONER_PASSWORD_FILE":
		return "step" // makes STEP_X of every flag --x
	case "TS_DEBUG_SSH_POLICY_FILE":
		return "Tailscale" // not TS_AUTHKEY_FILE: its image knows only TS_AUTHKEY (tailscale issue 14210)
	case "TELEPORT_IDENTITY_FILE":
		return "Teleport"
	case "TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE":
		return "Terraform" // the latter is a switch
	case "TRACING_DURATIONS_FILE", "UV_NO_ENV_FILE":
		return "uv" // UV_NO_ENV_FILE is a switch
	case "BAO_TOKEN_FILE", "VAULT_TOKEN_FILE":
		return "Vault and OpenBao" // the sink of an agent, which renews it
	case "AZURE_CREDENTIALS_FILE":
		return "Velero" // /credentials/cloud, a secret directory by its name
	case "WANDB_CREDENTIALS_FILE":
		return "Weights & Biases" // a cache, written when missing
	case "WOODPECKER_CUSTOM_CSS_FILE", "WOODPECKER_CUSTOM_JS_FILE":
		return "Woodpecker CI"
	case "YC_SERVICE_ACCOUNT_KEY_FILE":
		return "Yandex Cloud"
	case "ZBX_DB_KEY_FILE":
		return "Zabbix"
	case "CLIENT_KEY_FILE", "KEY_FILE", "SERVER_KEY_FILE":
		return "a TLS key" // beside CERT_FILE, CLIENT_CERT_FILE and SERVER_CERT_FILE
	case "PRIVATE_KEY_FILE":
		return "a key on its own, more often a path than not"
	case "INPUT_FILE", "LOGGING_FILE":
		return "a file that its program reads or writes"
	}
	return ""
}
