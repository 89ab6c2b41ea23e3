package inject

import (
	"sort"
	"strings"
)

// wantsPath reports whether the program that a reference variable (X_FILE) belongs to
// wants the path and not the contents, and whose variable it is. Expanding every X_FILE has
// broken programs in public: Grafana (issue 12239), paperless-ngx (issue 3244).
//
// A name is in the table when its program opens the file itself and either has no variable X, or reads
// the file again while it runs (tokens that are renewed), or takes the path for more than
// contents (Ansible executes it), or writes it. Programs whose images merely accept X_FILE for X, such as
// PostgreSQL, MySQL, MariaDB, MinIO and RabbitMQ, are not in it: they work with X.
func wantsPath(reference string) (owner string, ok bool) {
	if !strings.HasSuffix(reference, "_FILE") {
		return "", false
	}
	i := sort.Search(len(pathNames), func(i int) bool { return pathNames[i].name >= reference })
	if i < len(pathNames) && pathNames[i].name == reference {
		return pathNames[i].owner, true
	}
	for _, e := range pathEndings {
		if strings.HasSuffix(reference, e.name) || e.name[1:] == reference {
			return e.owner, true
		}
	}
	for _, f := range pathFamilies {
		if strings.HasPrefix(reference, f.name) {
			return f.owner, true
		}
	}
	return "", false
}

// A pathName is a name, or the end or beginning of one, and whose it is.
type pathName struct{ name, owner string }

// pathFamilies are the programs that make a variable of each option or setting, and
// read the files themselves.
var pathFamilies = [...]pathName{
	{"AUTHELIA_", "Authelia, which reads its own _FILE variables and refuses to start with both"},
	{"ETCD_", "etcd, whose options are paths"},
	{"RCLONE_", "rclone, whose options are paths"},
}

// pathEndings are the ends of names that mean a path in whatever program. One
// that begins with an underscore also matches the name without it: LOG_FILE.
var pathEndings = [...]pathName{
	{"_CERT_FILE", "a TLS certificate"},
	{"_CERTS_FILE", "TLS certificates"},
	{"_CERTIFICATE_FILE", "a TLS certificate"},
	{"_CERTIFICATE_KEY_FILE", "a TLS key"},
	{"SSL_KEY_FILE", "a TLS key"},
	{"TLS_KEY_FILE", "a TLS key"},
	{"SSL_CLIENT_KEY_FILE", "a TLS key"},
	{"TLS_CLIENT_KEY_FILE", "a TLS key"},
	{"_CA_FILE", "a certificate authority"},
	{"_CACERT_FILE", "a certificate authority"},
	{"_CRL_FILE", "a certificate revocation list"},
	{"_CONFIG_FILE", "a configuration file"},
	{"_CONF_FILE", "a configuration file"},
	{"_LOG_FILE", "a log"},
	{"_PID_FILE", "a process id"},
	{"_LOCK_FILE", "a lock"},
	{"_ENV_FILE", "an env file"},
	{"_KEYSTORE_FILE", "a keystore"},
	{"_TRUSTSTORE_FILE", "a truststore"},
	{"_KEYTAB_FILE", "a keytab"},
	{"_HISTORY_FILE", "a history"},
	{"_SOCKET_FILE", "a socket"},
	{"_KNOWN_HOSTS_FILE", "SSH known hosts"},
}

// pathNames is sorted by name.
var pathNames = [...]pathName{
	{"AGENT_INJECT_TLS_KEY_FILE", "TLS key of the Vault agent injector"},
	{"ALIBABA_CLOUD_CONFIG_FILE", "Alibaba Cloud SDK"},
	{"ALIBABA_CLOUD_CREDENTIALS_FILE", "Alibaba Cloud SDK"},
	{"ALIBABA_CLOUD_OIDC_TOKEN_FILE", "Alibaba Cloud SDK"},
	{"ANSIBLE_BECOME_PASSWORD_FILE", "Ansible"},
	{"ANSIBLE_CONNECTION_PASSWORD_FILE", "Ansible"},
	{"ANSIBLE_PRIVATE_KEY_FILE", "Ansible"},
	{"ANSIBLE_VAULT_PASSWORD_FILE", "Ansible"},
	{"AWS_CONFIG_FILE", "AWS SDKs and CLI"},
	{"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS SDKs and CLI"},
	{"AWS_CREDENTIAL_FILE", "AWS SDKs and CLI"},
	{"AWS_SHARED_CONFIG_FILE", "Terraform's S3 backend"},
	{"AWS_SHARED_CREDENTIALS_FILE", "AWS SDKs and CLI"},
	{"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS SDKs and CLI"},
	{"AZURE_FEDERATED_TOKEN_FILE", "Azure workload identity"},
	{"AZURE_KUBERNETES_CA_FILE", "Azure workload identity"},
	{"BAO_SSH_USER_KNOWN_HOSTS_FILE", "OpenBao"},
	{"BAO_TOKEN_FILE", "OpenBao"},
	{"BASH_COMP_DEBUG_FILE", "cobra"},
	{"BORG_KEY_FILE", "BorgBackup"},
	{"BUILDX_BAKE_FILE", "docker buildx"},
	{"CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", "Google Cloud CLI"},
	{"COMPOSE_DISABLE_ENV_FILE", "Docker Compose"},
	{"COMPOSE_FILE", "Docker Compose"},
	{"CONSUL_DISABLE_KEYRING_FILE", "Consul"},
	{"CONSUL_HTTP_TOKEN_FILE", "Consul"},
	{"CONSUL_TOKEN_FILE", "Consul"},
	{"COVERAGE_DEBUG_FILE", "coverage.py"},
	{"COVERAGE_FILE", "coverage.py"},
	{"CR_PASSPHRASE_FILE", "chart-releaser"},
	{"DATABRICKS_CONFIG_FILE", "Databricks"},
	{"DD_BYTECODE_INJECTION_OUTPUT_FILE", "Datadog"},
	{"DD_DEBUGGER_EXPL_OUTPUT_FILE", "Datadog"},
	{"DD_DYNAMIC_INSTRUMENTATION_PROBE_FILE", "Datadog"},
	{"DD_SPAN_SAMPLING_RULES_FILE", "Datadog"},
	{"DD_TEST_OPTIMIZATION_ENV_DATA_FILE", "Datadog"},
	{"DD_TEST_OPTIMIZATION_MANIFEST_FILE", "Datadog"},
	{"DNSUPDATE_TSIG_FILE", "lego, RFC 2136"},
	{"DNSUPDATE_TSIG_GSS_KEYTAB_FILE", "lego, RFC 2136"},
	{"DOPPLER_SECRETS_FILE", "Doppler, the name of a key"},
	{"EJSON_KEY_FILE", "gomplate"},
	{"ELASTIC_APM_LOG_FORMAT_FILE", "Elastic APM"},
	{"EXPORTER_TLS_CLIENT_KEY_FILE", "TLS keys of Bitnami images"},
	{"FONTCONFIG_FILE", "fontconfig"},
	{"FZF_DEFAULT_OPTS_FILE", "fzf"},
	{"GCE_SERVICE_ACCOUNT_FILE", "lego, Google Cloud DNS"},
	{"GIT_GRAFT_FILE", "git"},
	{"GIT_INDEX_FILE", "git"},
	{"GIT_SSH_KEY_FILE", "gomplate"},
	{"GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE", "Google's auth libraries"},
	{"GOOGLE_SERVICE_ACCOUNT_FILE", "Google's auth libraries"},
	{"IBM_CREDENTIALS_FILE", "IBM Cloud SDK"},
	{"INFISICAL_PAM_CONTEXT_FILE", "Infisical"},
	{"INPUT_FILE", "a file that its program writes"},
	{"K3S_TOKEN_FILE", "k3s"},
	{"K3S_VPN_AUTH_FILE", "k3s"},
	{"KC_HTTPS_CERTIFICATE_FILE", "Keycloak"},
	{"KC_HTTPS_CERTIFICATE_KEY_FILE", "Keycloak"},
	{"KC_HTTPS_KEY_STORE_FILE", "Keycloak"},
	{"KC_HTTPS_TRUST_STORE_FILE", "Keycloak"},
	{"KEY_FILE", "a key named by itself: a path more often than a secret"},
	{"LLVM_PROFILE_FILE", "LLVM"},
	{"LOGGING_FILE", "a file that its program writes"},
	{"MINIO_CONFIG_ENV_FILE", "MinIO"},
	{"MINIO_KMS_KES_CERT_FILE", "MinIO"},
	{"MINIO_KMS_KES_KEY_FILE", "MinIO"},
	{"MONGODB_EXTRA_DATABASES_FILE", "MongoDB images"},
	{"MONGODB_EXTRA_PASSWORDS_FILE", "MongoDB images"},
	{"MONGODB_REPLICA_SET_KEY_FILE", "MongoDB images"},
	{"MYSQL_TEST_LOGIN_FILE", "MySQL's test suite"},
	{"NIX_ATTRS_JSON_FILE", "Nix"},
	{"NIX_ATTRS_SH_FILE", "Nix"},
	{"NIX_SSL_CERT_FILE", "Nix"},
	{"OCI_CLI_CONFIG_FILE", "Oracle Cloud CLI"},
	{"OCI_CLI_DELEGATION_TOKEN_FILE", "Oracle Cloud CLI"},
	{"OCI_CLI_FIPS_LIBCRYPTO_FILE", "Oracle Cloud CLI"},
	{"OCI_CLI_KEY_FILE", "Oracle Cloud CLI"},
	{"OCI_CLI_RC_FILE", "Oracle Cloud CLI"},
	{"OCI_CLI_SECURITY_TOKEN_FILE", "Oracle Cloud CLI"},
	{"OCI_CONFIG_FILE", "lego, Oracle Cloud DNS"},
	{"OCI_PRIVKEY_FILE", "lego, Oracle Cloud DNS"},
	{"OS_CLIENT_CONFIG_FILE", "OpenStack SDK"},
	{"OS_CLIENT_SECURE_FILE", "OpenStack SDK"},
	{"OS_CLIENT_VENDOR_FILE", "OpenStack SDK"},
	{"OUTPUT_FILE", "a file that its program writes"},
	{"PAPERLESS_MODEL_FILE", "paperless-ngx"},
	{"PAPERLESS_OCR_SKIP_ARCHIVE_FILE", "paperless-ngx"},
	{"PARSE_FORCE_OVERWRITE_CONF_FILE", "Bitnami images"},
	{"PASSAGE_IDENTITIES_FILE", "passage"},
	{"PASSAGE_RECIPIENTS_FILE", "passage"},
	{"POSTGRESQL_TLS_CRL_FILE", "TLS keys of Bitnami images"},
	{"PRIVATE_KEY_FILE", "a key named by itself: a path more often than a secret"},
	{"PULUMI_CONFIG_PASSPHRASE_FILE", "Pulumi"},
	{"RABBITMQ_CLI_ALIASES_FILE", "RabbitMQ"},
	{"RABBITMQ_DEFINITIONS_FILE", "RabbitMQ"},
	{"RABBITMQ_ENABLED_PLUGINS_FILE", "RabbitMQ"},
	{"RABBITMQ_ERL_COOKIE_FILE", "RabbitMQ"},
	{"RABBITMQ_FEATURE_FLAGS_FILE", "RabbitMQ"},
	{"RABBITMQ_MOTD_FILE", "RabbitMQ"},
	{"REDIS_EXPORTER_TLS_CLIENT_KEY_FILE", "TLS keys of Bitnami images"},
	{"REDIS_STATUS_FILE", "Bitnami images"},
	{"REDIS_TLS_DH_PARAMS_FILE", "TLS keys of Bitnami images"},
	{"REGISTRY_AUTH_FILE", "podman, buildah and skopeo"},
	{"RESTIC_FROM_PASSWORD_FILE", "restic"},
	{"RESTIC_FROM_REPOSITORY_FILE", "restic"},
	{"RESTIC_PASSWORD_FILE", "restic"},
	{"RESTIC_REPOSITORY_FILE", "restic"},
	{"SIGSTORE_CT_LOG_PUBLIC_KEY_FILE", "cosign"},
	{"SIGSTORE_ROOT_FILE", "cosign"},
	{"SIGSTORE_TSA_CERTIFICATE_FILE", "cosign"},
	{"SKAFFOLD_CACHE_FILE", "Skaffold"},
	{"SNOWFLAKE_PRIVATE_KEY_FILE", "Snowflake"},
	{"SOCKET_FILE", "a file that its program writes"},
	{"SOPS_AGE_KEY_FILE", "sops"},
	{"SOPS_AGE_SSH_PRIVATE_KEY_FILE", "sops"},
	{"SSL_CERT_FILE", "OpenSSL, Go and others"},
	{"STATE_FILE", "a file that its program writes"},
	{"TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE", "Terraform"},
	{"TKE_WEB_IDENTITY_TOKEN_FILE", "Tencent Cloud"},
	{"TLS_RELAY_CLIENT_KEY_FILE", "TLS keys of Bitnami images"},
	{"TRACING_DURATIONS_FILE", "uv"},
	{"TS_AUTHKEY_FILE", "Tailscale"},
	{"TS_DEBUG_SSH_POLICY_FILE", "Tailscale"},
	{"TUNNEL_CRED_FILE", "cloudflared"},
	{"TUNNEL_TOKEN_FILE", "cloudflared"},
	{"UV_NO_ENV_FILE", "uv"},
	{"VALKEY_STATUS_FILE", "Bitnami images"},
	{"VALKEY_TLS_DH_PARAMS_FILE", "TLS keys of Bitnami images"},
	{"VAULT_TOKEN_FILE", "HashiCorp Vault's tools"},
	{"VOLCENGINE_OIDC_TOKEN_FILE", "Volcengine"},
	{"WOODPECKER_CUSTOM_CSS_FILE", "Woodpecker CI"},
	{"WOODPECKER_CUSTOM_JS_FILE", "Woodpecker CI"},
}
