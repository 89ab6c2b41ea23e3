package manifests

// canary is in every secret, and never in what the shim prints itself.
const canary = "c4n4ry"
