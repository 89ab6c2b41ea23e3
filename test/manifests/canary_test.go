package manifests

// canary is in every secret, and never in what the shim prints itself.
const canary = "c4n4ry"

// long makes a value that .env.schema finds long enough.
const long = canary + "-0123456789-0123456789-0123456789"

// placeholder is what somebody fills in for an empty value, such as breaks a URL or a shell.
func placeholder(key string) string {
	switch key {
	case "ANTHROPIC_API_KEY":
		return "sk-ant-" + long
	case "MAPBOX_ACCESS_TOKEN":
		return "pk." + long
	case "S3_BUCKET_NAME":
		return "uploads"
	}
	return long + "/" + key + "+="
}
