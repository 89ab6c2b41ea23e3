package inject

import (
	"slices"
	"strings"
)

// programOf returns whose variable X_FILE is, when it is a known program's; else nothing.
func programOf(reference string) string {
	i, found := slices.BinarySearchFunc(programs[:], reference, program.compare)
	if !found {
		return ""
	}
	return programs[i].owner
}

// A program is a reference of one, and whose it is.
type program struct{ reference, owner string }

func (p program) compare(reference string) int { return strings.Compare(p.reference, reference) }

// programs are the references whose programs want the path, and whose they are, in the order of
// their names. The compiler lays the table out; a map would be built at each start.
var programs = [...]program{
	{"AGE_IDENTITY_FILE", "age, SSH and Teleport clients"},
	{"ALIBABA_CLOUD_CONFIG_FILE", "Alibaba Cloud SDKs"},
	{"ALIBABA_CLOUD_CREDENTIALS_FILE", "Alibaba Cloud SDKs"},
	{"ALIBABA_CLOUD_OIDC_TOKEN_FILE", "Alibaba Cloud SDKs"},
	{"ANSIBLE_BECOME_PASSWORD_FILE", "Ansible"},     // runs it when it is executable
	{"ANSIBLE_CONNECTION_PASSWORD_FILE", "Ansible"}, // the same
	{"ANSIBLE_PRIVATE_KEY_FILE", "Ansible"},
	{"ANSIBLE_VAULT_PASSWORD_FILE", "Ansible"}, // the same
	{"AUTH_FILE", "PgBouncer and others, whose list of users it is"},
	{"AWS_CONFIG_FILE", "AWS SDKs and CLI"},
	{"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS SDKs (EKS Pod Identity, ECS)"},
	{"AWS_CREDENTIAL_FILE", "AWS SDKs and CLI"},
	{"AWS_SHARED_CONFIG_FILE", "AWS SDKs and CLI"},
	{"AWS_SHARED_CREDENTIALS_FILE", "AWS SDKs and CLI"},
	{"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS SDKs (EKS IRSA)"},
	// /credentials/cloud, a secret directory by its name.
	{"AZURE_CREDENTIALS_FILE", "Velero"},
	{"AZURE_FEDERATED_TOKEN_FILE", "Azure workload identity"},
	{"AZURE_KUBERNETES_CA_FILE", "Azure workload identity"},
	{"BAO_TOKEN_FILE", "Vault and OpenBao"}, // the sink of an agent, which renews it
	{"BASH_COMP_DEBUG_FILE", "Cobra programs"},
	{"BORG_KEY_FILE", "BorgBackup"}, // writes it, too
	{"BUILDX_BAKE_FILE", "Docker Buildx"},
	// Beside CLIENT_CERT_FILE, as KEY_FILE and SERVER_KEY_FILE are beside theirs.
	{"CLIENT_KEY_FILE", "a TLS key"},
	{"CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", "Google Cloud CLI"},
	{"CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", "Google Cloud CLI"},
	{"COMPOSE_DISABLE_ENV_FILE", "Docker Compose"},          // a switch
	{"COMPOSE_FILE", "Docker Compose"},                      // a list of paths
	{"CONJUR_AUTHN_TOKEN_FILE", "Conjur clients"},           // a sidecar renews it
	{"CONSUL_DISABLE_KEYRING_FILE", "Consul and its tools"}, // a switch
	{"CONSUL_HTTP_TOKEN_FILE", "Consul and its tools"},
	{"CONSUL_LOGIN_BEARER_TOKEN_FILE", "Consul and its tools"},
	{"CONSUL_TOKEN_FILE", "Consul and its tools"},
	{"COVERAGE_DEBUG_FILE", "coverage.py"},
	{"COVERAGE_FILE", "coverage.py"},
	{"CR_PASSPHRASE_FILE", "chart-releaser"},
	{"DD_DYNAMIC_INSTRUMENTATION_PROBE_FILE", "Datadog"},
	{"DD_SPAN_SAMPLING_RULES_FILE", "Datadog"},
	{"DD_TEST_OPTIMIZATION_ENV_DATA_FILE", "Datadog"},
	{"DD_TEST_OPTIMIZATION_MANIFEST_FILE", "Datadog"},
	{"DNSUPDATE_TSIG_FILE", "lego"},
	{"DOCKER_STEPCA_INIT_KEY_FILE", "step and step-ca"},
	{"DOCKER_STEPCA_INIT_KEY_PASSWORD_FILE", "step and step-ca"},
	{"DOCKER_STEPCA_INIT_ROOT_FILE", "step and step-ca"},
	{"DOPPLER_SECRETS_FILE", "Doppler"}, // a name in its store, not a path
	{"EJSON_KEY_FILE", "git-sync and gomplate"},
	{"ELASTIC_APM_LOG_FORMAT_FILE", "Elastic APM"}, // a word, not a path
	// Not every ETCD_*_FILE: ETCD_ROOT_PASSWORD is a secret.
	{"ETCDCTL_KEY_FILE", "etcd"},
	{"ETCD_CLIENT_KEY_FILE", "etcd"},
	{"ETCD_KEY_FILE", "etcd"},
	{"ETCD_PEER_CLIENT_KEY_FILE", "etcd"},
	{"ETCD_PEER_KEY_FILE", "etcd"},
	{"FONTCONFIG_FILE", "fontconfig"},
	{"FZF_DEFAULT_OPTS_FILE", "fzf"},
	// Its default is /etc/git-secret/ssh, a secret directory by its name.
	{"GITSYNC_SSH_KEY_FILE", "git-sync and gomplate"},
	{"GIT_GRAFT_FILE", "Git"},
	{"GIT_INDEX_FILE", "Git"},
	{"GIT_SSH_KEY_FILE", "git-sync and gomplate"},
	// GOOGLE_APPLICATION_CREDENTIALS is itself a path.
	{"GOOGLE_APPLICATION_CREDENTIALS_FILE", "Google's auth libraries"},
	{"GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE", "Google's auth libraries"},
	{"GOOGLE_SERVICE_ACCOUNT_FILE", "Google's auth libraries"},
	{"HCP_CRED_FILE", "HashiCorp Cloud"},
	{"IBM_CREDENTIALS_FILE", "IBM Cloud SDKs"},
	{"IDP_ENCRYPTION_SECRET_FILE", "ownCloud Infinite Scale"}, // written on the first start
	{"INFISICAL_PAM_CONTEXT_FILE", "Infisical"},
	{"INPUT_FILE", "a file that its program reads or writes"},
	{"JUPYTERHUB_COOKIE_SECRET_FILE", "JupyterHub"}, // written on the first start
	{"K3S_AGENT_TOKEN_FILE", "k3s and RKE2"},
	{"K3S_TOKEN_FILE", "k3s and RKE2"},
	{"K3S_VPN_AUTH_FILE", "k3s and RKE2"},
	{"K8S_AUTH_KEY_FILE", "Ansible"},
	{"KC_VAULT_FILE", "Keycloak"},
	{"KEY_FILE", "a TLS key"},
	{"KUBERNETES_KEY_FILE", "GitLab Runner and others"},
	{"LLDAP_KEY_FILE", "lldap"},        // written on the first start
	{"LLDAP_SERVER_KEY_FILE", "lldap"}, // the same
	{"LLVM_PROFILE_FILE", "LLVM"},
	{"LOGGING_FILE", "a file that its program reads or writes"},
	{"MINIO_CONFIG_ENV_FILE", "MinIO"}, // preset in its image
	{"MINIO_KMS_KES_CERT_FILE", "MinIO"},
	{"MINIO_KMS_KES_KEY_FILE", "MinIO"},
	{"MONGODB_EXTRA_DATABASES_FILE", "Bitnami images"},
	{"MONGODB_EXTRA_PASSWORDS_FILE", "Bitnami images"},
	{"MONGODB_REPLICA_SET_KEY_FILE", "Bitnami images"},
	{"MYSQL_TEST_LOGIN_FILE", "MySQL clients"},
	{"NC_DB_JSON_FILE", "NocoDB"},
	{"NIX_ATTRS_JSON_FILE", "Nix"},
	{"NIX_ATTRS_SH_FILE", "Nix"},
	{"NIX_SECRET_KEY_FILE", "Nix"},
	{"NIX_SSL_CERT_FILE", "Nix"},
	{"OAUTH2_PROXY_AUTHENTICATED_EMAILS_FILE", "OAuth2 Proxy"},
	{"OAUTH2_PROXY_HTPASSWD_FILE", "OAuth2 Proxy"},
	{"OCI_CLI_DELEGATION_TOKEN_FILE", "Oracle Cloud CLI"},
	{"OCI_CLI_FIPS_LIBCRYPTO_FILE", "Oracle Cloud CLI"},
	{"OCI_CLI_KEY_FILE", "Oracle Cloud CLI"},
	{"OCI_CLI_RC_FILE", "Oracle Cloud CLI"},
	{"OCI_CLI_SECURITY_TOKEN_FILE", "Oracle Cloud CLI"},
	{"OS_CLIENT_CONFIG_FILE", "OpenStack SDK"},
	{"OS_CLIENT_SECURE_FILE", "OpenStack SDK"},
	{"OS_CLIENT_VENDOR_FILE", "OpenStack SDK"},
	{"PAPERLESS_MODEL_FILE", "paperless-ngx"},
	// A word: never, with_text, always.
	{"PAPERLESS_OCR_SKIP_ARCHIVE_FILE", "paperless-ngx"},
	{"PARSE_FORCE_OVERWRITE_CONF_FILE", "Bitnami images"},
	{"PASSAGE_IDENTITIES_FILE", "passage"},
	{"PASSAGE_RECIPIENTS_FILE", "passage"},
	{"PGADMIN_SERVER_JSON_FILE", "pgAdmin"},
	{"PRIVATE_KEY_FILE", "a key on its own, more often a path than not"},
	{"PUBLICIP_FILE", "gluetun"}, // written
	{"PULUMI_CONFIG_PASSPHRASE_FILE", "Pulumi"},
	{"RABBITMQ_CLI_ALIASES_FILE", "RabbitMQ"},
	{"RABBITMQ_DEFINITIONS_FILE", "Bitnami images"},
	{"RABBITMQ_ENABLED_PLUGINS_FILE", "RabbitMQ"},
	{"RABBITMQ_ERL_COOKIE_FILE", "Bitnami images"},
	{"RABBITMQ_FEATURE_FLAGS_FILE", "RabbitMQ"},
	{"RABBITMQ_MOTD_FILE", "RabbitMQ"},
	// Not every RCLONE_*_FILE: RCLONE_CONFIG_<remote>_SECRET_ACCESS_KEY is a secret.
	{"RCLONE_AZUREBLOB_SERVICE_PRINCIPAL_FILE", "rclone"},
	{"RCLONE_AZUREFILES_SERVICE_PRINCIPAL_FILE", "rclone"},
	{"RCLONE_CONFIG_SFTP_KEY_FILE", "rclone"},
	{"RCLONE_DRIVE_SERVICE_ACCOUNT_FILE", "rclone"},
	{"RCLONE_GCS_SERVICE_ACCOUNT_FILE", "rclone"},
	{"RCLONE_OOS_SSE_CUSTOMER_KEY_FILE", "rclone"},
	{"RCLONE_SFTP_KEY_FILE", "rclone"},
	{"RCLONE_SFTP_PUBKEY_FILE", "rclone"},
	{"REDIS_FILE", "redis_exporter"}, // REDIS_PASSWORD_FILE is told by what is in it
	{"REGISTRY_AUTH_FILE", "Podman, Buildah and Skopeo"},
	{"RESTIC_FROM_PASSWORD_FILE", "restic and rustic"},
	{"RESTIC_FROM_REPOSITORY_FILE", "restic and rustic"},
	{"RESTIC_PASSWORD_FILE", "restic and rustic"},
	{"RESTIC_REPOSITORY_FILE", "restic and rustic"},
	{"RKE2_AGENT_TOKEN_FILE", "k3s and RKE2"},
	{"RKE2_TOKEN_FILE", "k3s and RKE2"},
	{"RUSTIC_PASSWORD_FILE", "restic and rustic"},
	{"SAMPLING_STRATEGIES_FILE", "Jaeger"},
	{"SEMAPHORE_RUNNER_PRIVATE_KEY_FILE", "Semaphore"}, // written
	{"SERVER_KEY_FILE", "a TLS key"},
	{"SIGSTORE_CT_LOG_PUBLIC_KEY_FILE", "cosign"},
	{"SIGSTORE_ROOT_FILE", "cosign"},
	{"SIGSTORE_TSA_CERTIFICATE_FILE", "cosign"},
	{"SNOWFLAKE_PRIVATE_KEY_FILE", "Snowflake"},
	{"SOPS_AGE_KEY_FILE", "sops"},
	{"SOPS_AGE_SSH_PRIVATE_KEY_FILE", "sops"},
	{"SSH_IDENTITY_FILE", "age, SSH and Teleport clients"},
	{"SSL_CERT_FILE", "OpenSSL, Go and others"},
	// Makes STEP_X of every flag --x.
	{"STEP_PASSWORD_FILE", "step and step-ca"},
	{"STEP_PROVISIONER_PASSWORD_FILE", "step and step-ca"},
	{"TELEPORT_IDENTITY_FILE", "age, SSH and Teleport clients"},
	{"TF_CLI_CONFIG_FILE", "Terraform"},
	{"TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE", "Terraform"}, // a switch
	{"TLS_RELAY_CLIENT_KEY_FILE", "Bitnami images"},
	{"TRACING_DURATIONS_FILE", "uv"},
	// Not TS_AUTHKEY_FILE: its image knows only TS_AUTHKEY (tailscale issue 14210).
	{"TS_DEBUG_SSH_POLICY_FILE", "Tailscale"},
	{"TUNNEL_CRED_FILE", "cloudflared"},
	{"TUNNEL_TOKEN_FILE", "cloudflared"},
	{"UV_NO_ENV_FILE", "uv"},                       // a switch
	{"VAULT_TOKEN_FILE", "Vault and OpenBao"},      // the same
	{"WANDB_CREDENTIALS_FILE", "Weights & Biases"}, // a cache, written when missing
	{"ZBX_DB_KEY_FILE", "Zabbix"},
}
