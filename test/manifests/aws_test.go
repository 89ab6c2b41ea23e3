package manifests

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	eso "github.com/external-secrets/external-secrets/apis/externalsecrets/v1"
	strictjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// aws is what Secrets Manager and Parameter Store hold: for each name its JSON object, or a string. The values are
// such as break a URL or a shell.
var aws = map[string]any{
	"devplatform/prod/db":    map[string]string{"username": "dev/user", "password": long + "/pass+word="},
	"devplatform/prod/redis": map[string]string{"password": long + "/redis+="},
	"devplatform/prod/jwt":   map[string]string{"secret_key": long + "-jwt"},
	"devplatform/prod/s3": map[string]string{
		"access_key": long + "-access", "secret_key": long + "-secret",
		"minio_root_user": canary + "-minio-user", "minio_root_password": canary + "-minio-password",
	},
	"devplatform/prod/api-keys":        map[string]string{"anthropic_api_key": "sk-ant-" + long, "mapbox_access_token": "pk." + long},
	"devplatform/prod/sentry":          map[string]string{"backend_dsn": "https://" + canary + "@b/1", "frontend_dsn": "https://" + canary + "@f/2"},
	"/devplatform/prod/s3_bucket_name": "bucket",
	"/devplatform/prod/s3_region":      "eu-central-1",
}

// The previous version of the JWT secret.
var awsPrevious = map[string]string{"secret_key": long + "-jwt-previous"}

// secretProviderClass is the resource of the Secrets Store CSI driver. Its Go module cannot be had from the module
// proxy, so these are the fields of its API as documented (secretproviderclasses.secrets-store.csi.x-k8s.io/v1).
type secretProviderClass struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	Spec struct {
		Provider      string            `json:"provider"`
		Parameters    map[string]string `json:"parameters"`
		SecretObjects []struct {
			SecretName  string            `json:"secretName"`
			Type        string            `json:"type"`
			Labels      map[string]string `json:"labels"`
			Annotations map[string]string `json:"annotations"`
			Data        []struct {
				ObjectName string `json:"objectName"`
				Key        string `json:"key"`
			} `json:"data"`
		} `json:"secretObjects"`
	} `json:"spec"`
}

// awsObject is an item of the parameter "objects", as the AWS provider documents it.
type awsObject struct {
	ObjectName         string `json:"objectName"`
	ObjectType         string `json:"objectType"`
	ObjectAlias        string `json:"objectAlias"`
	ObjectVersion      string `json:"objectVersion"`
	ObjectVersionLabel string `json:"objectVersionLabel"`
}

// objects reads and checks what the AWS provider would mount.
func (c *secretProviderClass) objects() ([]awsObject, error) {
	if c.Spec.Provider != "aws" {
		return nil, fmt.Errorf("provider %q", c.Spec.Provider)
	}
	for parameter := range c.Spec.Parameters {
		known := []string{"region", "failoverRegion", "pathTranslation", "usePodIdentity", "preferredAddressType", "objects"}
		if !slices.Contains(known, parameter) {
			return nil, fmt.Errorf("unknown parameter %s", parameter)
		}
	}
	text, err := yaml.YAMLToJSONStrict([]byte(c.Spec.Parameters["objects"]))
	if err != nil {
		return nil, err
	}
	var objects []awsObject
	strict, err := strictjson.UnmarshalStrict(text, &objects)
	if err := errors.Join(append(strict, err)...); err != nil {
		return nil, err
	}
	aliases := map[string]bool{}
	for _, o := range objects {
		value, known := aws[o.ObjectName]
		wanted := "secretsmanager"
		if _, isString := value.(string); isString {
			wanted = "ssmparameter"
		}
		switch {
		case !known:
			return nil, fmt.Errorf("%s is not in AWS", o.ObjectName)
		case o.ObjectType != wanted:
			return nil, fmt.Errorf("%s: objectType %s", o.ObjectName, o.ObjectType)
		case o.ObjectAlias == "" || aliases[o.ObjectAlias]:
			return nil, fmt.Errorf("%s: alias %q is missing or taken", o.ObjectName, o.ObjectAlias)
		case !slices.Contains([]string{"", "AWSCURRENT", "AWSPREVIOUS"}, o.ObjectVersionLabel):
			return nil, fmt.Errorf("%s: label %q", o.ObjectName, o.ObjectVersionLabel)
		}
		aliases[o.ObjectAlias] = true
	}
	return objects, nil
}

// remote is the value that an ExternalSecret asks AWS for.
func remote(e *eso.ExternalSecret, d eso.ExternalSecretData) (string, error) {
	store := e.Spec.SecretStoreRef.Name
	if d.SourceRef != nil {
		store = d.SourceRef.SecretStoreRef.Name
	}
	name, property := d.RemoteRef.Key, d.RemoteRef.Property
	switch value := aws[name].(type) {
	case string:
		if store == "aws-parameter-store" && property == "" {
			return value, nil
		}
	case map[string]string:
		if d.RemoteRef.Version == "AWSPREVIOUS" && name == "devplatform/prod/jwt" {
			value = awsPrevious
		}
		if v, ok := value[property]; ok && store == "aws-secrets-manager" {
			return v, nil
		}
	}
	return "", fmt.Errorf("%s has no %q in %s", name, property, store)
}

// The policy allows reading what the examples read, and nothing else.
func TestPolicyIsLeast(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(examples, "aws/iam-policy.json"))
	if err != nil {
		t.Fatal(err)
	}
	var policy struct {
		Version   string
		Statement []struct {
			Sid, Effect      string
			Action, Resource []string
			Condition        map[string]map[string][]string
		}
	}
	strict, err := strictjson.UnmarshalStrict(data, &policy)
	if err := errors.Join(append(strict, err)...); err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{}
	for _, s := range policy.Statement {
		for _, action := range s.Action {
			if s.Effect != "Allow" || strings.Contains(action, "*") {
				t.Errorf("%s %s", s.Effect, action)
			}
		}
		for _, resource := range s.Resource {
			// Secrets Manager adds a hyphen and six characters to each name.
			name := strings.TrimSuffix(resource[strings.LastIndexByte(resource, ':')+1:], "-??????")
			if parameter, ok := strings.CutPrefix(name, "parameter"); ok {
				name = parameter
			}
			if strings.ContainsAny(name, "*?") {
				t.Errorf("%s allows more than one secret", resource)
			}
			if !strings.HasPrefix(name, "key/") {
				allowed[name] = true
			} else if s.Condition["StringEquals"]["kms:ViaService"] == nil {
				t.Error("the key can be used for anything")
			}
		}
	}
	used := map[string]bool{}
	each(t, func(t *testing.T, b *built) {
		for _, e := range of[eso.ExternalSecret](b) {
			for _, d := range e.Spec.Data {
				used[d.RemoteRef.Key] = true
			}
		}
		for _, c := range of[secretProviderClass](b) {
			objects, err := c.objects()
			if err != nil {
				t.Error(err)
			}
			for _, o := range objects {
				used[o.ObjectName] = true
			}
		}
	})
	for name := range aws {
		if !used[name] || !allowed[name] {
			t.Errorf("%s: used %v, allowed %v", name, used[name], allowed[name])
		}
	}
	if len(allowed) != len(aws) || len(used) != len(aws) {
		t.Errorf("%d names in AWS, %d allowed, %d used", len(aws), len(allowed), len(used))
	}
}

func mustJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}
