package rotate

import (
	"encoding/json"
	"time"
)

// A kubeSecret is what is used of a Secret (core/v1).
type kubeSecret struct {
	Metadata  kubeMetadata      `json:"metadata"`
	Immutable bool              `json:"immutable"`
	Data      map[string][]byte `json:"data"`

	raw []byte // all of it, as the server sent it
}

type kubeMetadata struct {
	Name              string              `json:"name"`
	ResourceVersion   string              `json:"resourceVersion"`
	CreationTimestamp time.Time           `json:"creationTimestamp"`
	Labels            map[string]string   `json:"labels"`
	Annotations       map[string]string   `json:"annotations"`
	OwnerReferences   []kubeOwner         `json:"ownerReferences"`
	ManagedFields     []kubeManagedFields `json:"managedFields"`
}

type kubeOwner struct {
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	Controller bool   `json:"controller"`
}

// kubeManagedFields are the fields that one manager wrote last, or applies: each is a key of
// FieldsV1 with "f:" before its name (FieldsV1 in meta/v1).
type kubeManagedFields struct {
	Manager   string    `json:"manager"`
	Operation string    `json:"operation"` // Apply (server-side) or Update
	Time      time.Time `json:"time"`
	FieldsV1  struct {
		Data       map[string]any `json:"f:data"`
		StringData map[string]any `json:"f:stringData"`
	} `json:"fieldsV1"`
}

// has reports whether the manager has a key of the data, and whether by stringData.
func (f *kubeManagedFields) has(key string) (has, asText bool) {
	_, asText = f.FieldsV1.StringData["f:"+key]
	_, has = f.FieldsV1.Data["f:"+key]
	return has || asText, asText
}

// serverFields are what the server sets in an object's metadata, and refuses or ignores from
// others.
var serverFields = []string{
	"resourceVersion", "uid", "creationTimestamp", "generation", "selfLink", "managedFields",
}

// manifest is the Secret as something that `kubectl replace` takes: with its labels, annotations
// and owners, which a replacement without them would remove.
func (s *kubeSecret) manifest() ([]byte, error) {
	var object map[string]any
	if err := json.Unmarshal(s.raw, &object); err != nil {
		return nil, err
	}
	object["apiVersion"], object["kind"] = "v1", "Secret"

	if metadata, ok := object["metadata"].(map[string]any); ok {
		for _, field := range serverFields {
			delete(metadata, field)
		}
	}

	text, err := json.MarshalIndent(object, "", "  ")
	return append(text, '\n'), err
}
