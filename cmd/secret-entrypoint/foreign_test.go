package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// foreignEnvironment is full of *_FILE variables that are none of our business, with values as
// real images and machines have them.
var foreignEnvironment = []string{
	"SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt", "NIX_SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
	"CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE=/etc/ssl/certs/ca-certificates.crt", "TF_CLI_CONFIG_FILE=/root/.terraformrc",
	"AWS_WEB_IDENTITY_TOKEN_FILE=/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
	"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token",
	"AWS_SHARED_CREDENTIALS_FILE=/root/.aws/credentials", "AZURE_FEDERATED_TOKEN_FILE=/var/run/secrets/azure/tokens/azure-identity-token",
	"MINIO_ROOT_USER_FILE=access_key", "MINIO_ROOT_PASSWORD_FILE=secret_key", "MINIO_KMS_SECRET_KEY_FILE=kms_master_key",
	"MINIO_CONFIG_ENV_FILE=config.env", "GF_SERVER_CERT_FILE=/etc/grafana/tls.crt", "GF_AUTH_LDAP_CONFIG_FILE=/etc/grafana/ldap.toml",
	"PAPERLESS_OCR_SKIP_ARCHIVE_FILE=always", "COMPOSE_FILE=compose.yaml:compose.override.yaml", "GIT_INDEX_FILE=.git/index",
	"UV_NO_ENV_FILE=1", "COMPOSE_DISABLE_ENV_FILE=true", "COVERAGE_FILE=/tmp/.coverage", "LLVM_PROFILE_FILE=/tmp/x-%p.profraw",
	"CELERYD_PID_FILE=/var/run/celery/%n.pid", "RABBITMQ_ENABLED_PLUGINS_FILE=/etc/rabbitmq/enabled_plugins", "LOG_FILE=/var/log/app.log",
	"HISTORY_FILE=", "RESTIC_PASSWORD_FILE=/run/secrets/restic", "VAULT_TOKEN_FILE=/vault/secrets/token", "K3S_TOKEN_FILE=/etc/k3s/token",
	"ETCD_PEER_KEY_FILE=/etc/etcd/peer.key", "RCLONE_SFTP_KEY_FILE=/root/.ssh/id_ed25519", "KC_HTTPS_CERTIFICATE_KEY_FILE=/etc/x.key",
	"PGPASSFILE=/root/.pgpass", "SSLKEYLOGFILE=/tmp/keys.log", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=/etc/ssl/roots.pem",
	"DATABASE_URL=file:./dev.db", "odd", "=C:=C:\\", "EMPTY=",
}

// Behind the shim the environment is what it was, byte for byte, and nothing is printed.
func TestForeignEnvironment(t *testing.T) {
	for name, environ := range map[string][]string{"images": foreignEnvironment, "this machine": machine()} {
		t.Run(name, func(t *testing.T) {
			got, stderr := through(t, environ)
			if !slices.Equal(got, environ) {
				t.Errorf("got  %q\nwant %q", got, environ)
			}
			if stderr != "" {
				t.Errorf("it says %s", stderr)
			}
		})
	}
}

// machine is the environment of whoever runs the tests, less what they set themselves.
func machine() []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, variablePrefix) || strings.HasPrefix(entry, "GORACE=")
	})
}

// through returns the environment that a command behind the shim gets.
func through(t *testing.T, environ []string) (got []string, stderr string) {
	t.Helper()
	errors := filepath.Join(t.TempDir(), "stderr")
	file, err := os.Create(errors)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := exec.Command(shim(t), "--dir", "", "--", "/bin/cat", "/proc/self/environ")
	cmd.Env, cmd.Stderr = environ, file
	out, err := cmd.Output()
	text, _ := os.ReadFile(errors)
	if err != nil {
		t.Fatal(err, string(text))
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"), string(text)
}

// Warnings about variables left alone are one line each.
func TestForeignWarnings(t *testing.T) {
	var environ []string
	for i := range 20 {
		environ = append(environ, fmt.Sprintf("THING_%d_FILE=/thing", i))
	}
	got, stderr := through(t, environ)
	if !slices.Equal(got, environ) || strings.Count(stderr, "\n") != 20 {
		t.Errorf("%q\n%s", got, stderr)
	}
}
