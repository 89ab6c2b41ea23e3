package cluster

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
)

// WriteImage writes an image that has one program, as docker save does: for docker load, and for Import. The program is
// its entrypoint, at the path inside.
func WriteImage(path, name, program, inside string) error {
	data, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	layer := archive(entry{inside[1:], 0o755, data})
	digest := fmt.Sprintf("%x", sha256.Sum256(layer))
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": []string{inside}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest}},
	})
	if err != nil {
		return err
	}
	configFile, layerFile := fmt.Sprintf("%x.json", sha256.Sum256(config)), digest+"/layer.tar"
	manifest, err := json.Marshal([]map[string]any{
		{"Config": configFile, "RepoTags": []string{name}, "Layers": []string{layerFile}},
	})
	if err != nil {
		return err
	}
	image := archive(entry{configFile, 0o644, config}, entry{layerFile, 0o644, layer}, entry{"manifest.json", 0o644, manifest})
	return os.WriteFile(path, image, 0o644)
}

type entry struct {
	name string
	mode int64
	data []byte
}

// archive makes a tar archive: in memory, where writing does not fail.
func archive(entries ...entry) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		w.WriteHeader(&tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.data))})
		w.Write(e.data)
	}
	w.Close()
	return b.Bytes()
}
